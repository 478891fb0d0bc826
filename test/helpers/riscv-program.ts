/**
 * A program for linux/riscv64 of a few hundred bytes, so that running foreign binaries can be tested without a foreign
 * distribution: it writes a text into a file, the same text to its output, and ends with a status.
 * Instructions: RISC-V ISA manual, volume 1, chapter 24. System calls: Linux' generic table.
 */

const LOAD_ADDRESS = 0x10000;
const HEADERS = 64 + 56;

const [RA0, RA1, RA2, RA3, RA7] = [10, 11, 12, 13, 17];
const SYSCALL = { openat: 56, write: 64, exit: 93 };
const AT_FDCWD = -100;
const O_WRONLY_CREAT = 0o101;

export function riscvProgram(path: string, text: string, status: number): Buffer {
  const strings = [Buffer.from(`${path}\0`), Buffer.from(text)] as const;
  // Twice: the second time, how long the code is, and so where the strings are, is known.
  const build = (at: number): Buffer => {
    const pathAt = LOAD_ADDRESS + at;
    const textAt = pathAt + strings[0].length;
    return code([
      ...li(RA0, AT_FDCWD),
      ...li(RA1, pathAt),
      ...li(RA2, O_WRONLY_CREAT),
      ...li(RA3, 0o644),
      ...call(SYSCALL.openat),
      // The descriptor is where write(2) wants it.
      ...li(RA1, textAt),
      ...li(RA2, strings[1].length),
      ...call(SYSCALL.write),
      ...li(RA0, 1),
      ...li(RA1, textAt),
      ...li(RA2, strings[1].length),
      ...call(SYSCALL.write),
      ...li(RA0, status),
      ...call(SYSCALL.exit),
    ]);
  };
  const size = build(0).length;
  const body = Buffer.concat([build(HEADERS + size), ...strings]);
  return Buffer.concat([elfHeaders(HEADERS + body.length), body]);
}

function li(register: number, value: number): number[] {
  const low = (value << 20) >> 20;
  const high = (value - low) >>> 12;
  // lui and addi, always both: the length must not depend on the value.
  return [((high << 12) | (register << 7) | 0x37) >>> 0, addi(register, register, low)];
}

function addi(target: number, source: number, value: number): number {
  return (((value & 0xfff) << 20) | (source << 15) | (target << 7) | 0x13) >>> 0;
}

function call(number: number): number[] {
  return [addi(RA7, 0, number), 0x73];
}

function code(words: readonly number[]): Buffer {
  const bytes = Buffer.alloc(words.length * 4);
  for (const [at, word] of words.entries()) bytes.writeUInt32LE(word, at * 4);
  return bytes;
}

function elfHeaders(size: number): Buffer {
  const bytes = Buffer.alloc(HEADERS);
  bytes.write('\x7fELF\x02\x01\x01', 'latin1');
  bytes.writeUInt16LE(2, 16); // an executable
  bytes.writeUInt16LE(243, 18); // for RISC-V
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(LOAD_ADDRESS + HEADERS), 24);
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(64, 52);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(1, 56);
  bytes.writeUInt32LE(1, 64); // one segment, to be read and executed
  bytes.writeUInt32LE(5, 68);
  bytes.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 80);
  bytes.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 88);
  bytes.writeBigUInt64LE(BigInt(size), 96);
  bytes.writeBigUInt64LE(BigInt(size), 104);
  bytes.writeBigUInt64LE(0x1000n, 112);
  return bytes;
}
