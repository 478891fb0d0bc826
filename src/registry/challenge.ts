/** `WWW-Authenticate`: what a server wants to see before it answers (RFC 9110, section 11.6.1). */

export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAMETER = new RegExp(`(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))`, 'y');
const SCHEME = new RegExp(`(${TOKEN})(?=\\s|,|$)(?!\\s*=)`, 'y');
/** What separates, or what is not understood up to the next separator: each step is over as many characters as it reads. */
const BETWEEN = /[\s,]+|[^\s,]+/y;
const MAX_LENGTH = 16 * 1024;

/** All challenges of a header, of which there may be several, in one line or in many. What is not understood is skipped. */
export function parseChallenges(values: readonly string[]): readonly Challenge[] {
  return values.flatMap((value) => (value.length > MAX_LENGTH ? [] : parseOne(value)));
}

function parseOne(text: string): Challenge[] {
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  for (let at = 0; at < text.length; ) {
    PARAMETER.lastIndex = at;
    SCHEME.lastIndex = at;
    const parameter = PARAMETER.exec(text);
    const scheme = parameter === null ? SCHEME.exec(text) : null;
    if (parameter !== null) {
      const value = parameter[2]?.replace(/\\(.)/g, '$1') ?? parameter[3] ?? '';
      const last = found.at(-1);
      if (last !== undefined) last.parameters[parameter[1]!.toLowerCase()] ??= value;
      at = PARAMETER.lastIndex;
    } else if (scheme !== null) {
      found.push({ scheme: scheme[1]!.toLowerCase(), parameters: Object.create(null) });
      at = SCHEME.lastIndex;
    } else {
      BETWEEN.lastIndex = at;
      BETWEEN.test(text);
      at = BETWEEN.lastIndex;
    }
  }
  return found;
}
