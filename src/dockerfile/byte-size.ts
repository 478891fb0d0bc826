const POWERS = 'kmgtp';

/**
 * Reads a size like `64m`, `1.5 GiB` or `1024` as bytes, with every unit a power of 1024. Absent if it is none.
 * https://pkg.go.dev/github.com/docker/go-units#RAMInBytes
 */
export function parseByteSize(text: string): number | undefined {
  const match = /^(\d+\.?\d*|\.\d+) ?(?:([kmgtp])(?:i?b)?|b)?$/i.exec(text);
  if (match === null) return undefined;
  const power = match[2] === undefined ? 0 : POWERS.indexOf(match[2].toLowerCase()) + 1;
  const size = Math.trunc(Number(match[1]) * 1024 ** power);
  return Number.isSafeInteger(size) ? size : undefined;
}
