import { constants, endianness } from 'node:os';
import { describe, expect, test } from 'vitest';
import { seccompProfile } from '../../src/runtime/seccomp.ts';
import { compileFilter } from '../../src/runtime/seccomp-filter.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const { EPERM, ENOSYS } = constants.errno;
const ALLOW = 0x7fff0000;
const errno = (number: number): number => 0x00050000 | number;

/** What the kernel does with a `struct seccomp_data`: https://docs.kernel.org/networking/filter.html */
function interpret(filter: Buffer, data: Buffer): number {
  let accumulator = 0;
  for (let at = 0; at * 8 < filter.length; at += 1) {
    const code = filter.readUInt16LE(at * 8);
    const k = filter.readUInt32LE(at * 8 + 4);
    const jump = (condition: boolean): void => {
      at += filter[at * 8 + (condition ? 2 : 3)]!;
    };
    if (code === 0x20) accumulator = data.readUInt32LE(k);
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x25) jump(accumulator > k);
    else if (code === 0x35) jump(accumulator >= k);
    else if (code === 0x45) jump((accumulator & k) !== 0);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x05) at += k;
    else if (code === 0x06) return k;
    else throw new Error(`instruction ${code.toString(16)}`);
  }
  throw new Error('no return');
}

const X86_64 = 0xc000003e;
const I386 = 0x40000003;
const AARCH64 = 0xc00000b7;

function call(architecture: number, number: number, ...args: number[]): Buffer {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(architecture, 4);
  args.forEach((arg, index) => {
    data.writeBigUInt64LE(BigInt(arg), 16 + index * 8);
  });
  return data;
}

// Numbers of system calls are of one architecture, and so are the cases.
describe.runIf(process.arch === 'x64' && endianness() === 'LE')('the program of a profile', () => {
  const filterOf = (capabilities: readonly string[] = []): Buffer =>
    compileFilter(seccompProfile(capabilities, 'x64'), tempDirectory());
  const CLONE_NEWUSER = 0x10000000;
  const SIGCHLD = 17;
  test.each([
    ['read', call(X86_64, 0), ALLOW],
    ['read of i386', call(I386, 3), ALLOW],
    ['mount', call(X86_64, 165), errno(EPERM)],
    ['mount of i386', call(I386, 21), errno(EPERM)],
    ['keyctl', call(X86_64, 250), errno(EPERM)],
    ['clone of a process', call(X86_64, 56, SIGCHLD), ALLOW],
    ['clone of a user namespace', call(X86_64, 56, SIGCHLD | CLONE_NEWUSER), errno(EPERM)],
    ['clone3', call(X86_64, 435), errno(ENOSYS)],
    ['a socket of the network', call(X86_64, 41, 2), ALLOW],
    ['a socket to the hypervisor', call(X86_64, 41, 40), errno(EPERM)],
    ['what is newer than all that is known', call(X86_64, 5000), errno(ENOSYS)],
    ['what is newer, of i386', call(I386, 5000), errno(ENOSYS)],
  ])('has an answer to %s', (_, data, answer) => {
    expect(interpret(filterOf(), data)).toBe(answer);
  });

  test.each([
    ['x32', call(X86_64, 0x40000000)],
    ['another architecture', call(AARCH64, 0)],
  ])('lets nothing of %s pass', (_, data) => {
    expect(interpret(filterOf(), data)).not.toBe(ALLOW);
  });

  test('differs with the capabilities', () => {
    const more = filterOf(['CAP_SYS_ADMIN']);
    expect(interpret(more, call(X86_64, 165))).toBe(ALLOW);
  });
});

test('a profile that nobody knows is refused', () => {
  const profile = { ...seccompProfile([], process.arch), architectures: ['SCMP_ARCH_NONE'] };
  expect(() => compileFilter(profile, tempDirectory())).toThrow('SCMP_ARCH_NONE');
});
