/**
 * The crc32 of two pieces joined, from the crc32 of each: the polynomial of the first, multiplied by x to the power of the
 * second's bits, modulo the generator. Bits are reflected, as everywhere in crc32 (RFC 1952, 8).
 */
const GENERATOR = 0xedb8_8320;

export function combineCrc32(first: number, second: number, secondSize: number): number {
  return (multiply(powerOfX(secondSize * 8), first) ^ second) >>> 0;
}

/** Product modulo the generator. The highest bit stands for x⁰. */
function multiply(a: number, b: number): number {
  let product = 0;
  let rest = b;
  for (let bit = 31; bit >= 0; bit -= 1) {
    if ((a >>> bit) & 1) product ^= rest;
    rest = rest & 1 ? (rest >>> 1) ^ GENERATOR : rest >>> 1;
  }
  return product >>> 0;
}

/** x to the power of `exponent`, by squaring. */
function powerOfX(exponent: number): number {
  let power = 0x8000_0000;
  let square = 0x4000_0000;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = multiply(square, power);
    square = multiply(square, square);
  }
  return power;
}
