import { SyntaxFault } from './syntax-error.ts';

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/**
 * Reads a duration like `1h30m` or `1.5s` as nanoseconds: a sign, then numbers each with its unit; a bare `0` needs none.
 * https://pkg.go.dev/time#ParseDuration
 */
export function parseDuration(text: string): number {
  const [, sign, rest] = /^([+-]?)(.*)$/s.exec(text)!;
  if (rest === '0') return 0;
  if (rest === '') throw invalid(text);
  let total = 0;
  const part = /(\d+\.?\d*|\.\d+)([^\d.]*)/y;
  while (part.lastIndex < rest!.length) {
    const match = part.exec(rest!);
    if (match === null) throw invalid(text);
    const [, amount, unit] = match;
    if (unit === '')
      throw new SyntaxFault(`missing unit in duration ${JSON.stringify(text)}`, HINT);
    if (!Object.hasOwn(NANOSECONDS, unit!)) {
      throw new SyntaxFault(
        `unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`,
        HINT,
      );
    }
    total += Number(amount) * NANOSECONDS[unit!]!;
  }
  // Durations are 64-bit counts of nanoseconds.
  if (total >= 2 ** 63) throw invalid(text);
  return Math.trunc(sign === '-' ? -total : total);
}

const HINT = { hint: 'write it like 30s, 1m30s or 500ms' };

function invalid(text: string): SyntaxFault {
  return new SyntaxFault(`invalid duration ${JSON.stringify(text)}`, HINT);
}
