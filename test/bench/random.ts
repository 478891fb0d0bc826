/** Numbers and bytes that look random and are the same in every run and on every machine. */
export interface Random {
  /** A whole number of 0 … `limit` - 1. */
  below(limit: number): number;
  /** Fills the buffer with bytes that no compressor makes smaller. */
  fill(buffer: Uint8Array): void;
}

/** xoshiro128**, https://prng.di.unimi.it/xoshiro128starstar.c, seeded by the text. */
export function createRandom(seed: string): Random {
  let [a, b, c, d] = seedOf(seed);
  const next = (): number => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result;
  };
  return {
    below: (limit) => next() % limit,
    fill(buffer) {
      const whole = buffer.byteLength & ~3;
      const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
      for (let at = 0; at < whole; at += 4) view.setUint32(at, next(), true);
      for (let at = whole; at < buffer.byteLength; at += 1) buffer[at] = next() & 0xff;
    },
  };
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** Four words that are never all zero: FNV-1a of the text, spread by splitmix32. */
function seedOf(text: string): [number, number, number, number] {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  const word = (): number => {
    hash = (hash + 0x9e3779b9) | 0;
    let mixed = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
  return [word(), word(), word(), word() | 1];
}
