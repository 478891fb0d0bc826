/**
 * The patterns of `${NAME#p}`, `${NAME%p}` and `${NAME/p/r}`: `*` is any text and `?` any character, on one line; `\`
 * makes `*`, `?` and `\` ordinary; there are no bracket expressions.
 *
 * Matched by stepping a set of states over the text instead of by a backtracking `RegExp`: a Dockerfile comes from
 * anywhere, and `${x##*a*a*a*a*a*a*b}` on a long value must not take minutes.
 */

type Token =
  | { readonly kind: 'star' | 'any' }
  | { readonly kind: 'literal'; readonly text: string };

/** Cuts what matches at one end of the value: the longest match when greedy, else the shortest. */
export function trimPattern(
  value: string,
  pattern: string,
  end: 'start' | 'end',
  greedy: boolean,
): string {
  const tokens = tokenize(pattern);
  const text = Array.from(value);
  if (end === 'end') {
    tokens.reverse();
    text.reverse();
  }
  const match = find(tokens, text, { from: 0, anchored: true, greedy });
  if (match === undefined) return value;
  const rest = text.slice(match.end);
  return (end === 'end' ? rest.reverse() : rest).join('');
}

/** Replaces the first, or every, longest match. */
export function replacePattern(
  value: string,
  pattern: string,
  replacement: string,
  all: boolean,
): string {
  const tokens = tokenize(pattern);
  const text = Array.from(value);
  let result = '';
  let copied = 0;
  let from = 0;
  let lastEnd = -1;
  for (;;) {
    const match = find(tokens, text, { from, anchored: false, greedy: true });
    if (match === undefined) break;
    const isEmpty = match.start === match.end;
    // An empty match right behind the previous match is none: `*` replaces "abc" once, not once more at its end.
    if (!(isEmpty && match.start === lastEnd)) {
      const matched = text.slice(match.start, match.end).join('');
      result += text.slice(copied, match.start).join('');
      result += all ? fillTemplate(replacement, matched) : replacement;
      copied = match.end;
      lastEnd = match.end;
    }
    if (!all) break;
    from = isEmpty ? match.end + 1 : match.end;
    if (from > text.length) break;
  }
  return result + text.slice(copied).join('');
}

function tokenize(pattern: string): Token[] {
  const tokens: Token[] = [];
  const characters = Array.from(pattern);
  for (let i = 0; i < characters.length; i++) {
    let character = characters[i]!;
    if (character === '*') {
      if (tokens.at(-1)?.kind !== 'star') tokens.push({ kind: 'star' });
      continue;
    }
    if (character === '?') {
      tokens.push({ kind: 'any' });
      continue;
    }
    if (character === '\\') {
      const next = characters[++i];
      if (next === undefined || !'*?\\}/'.includes(next)) {
        throw new Error(`invalid escape '\\${next ?? ''}'`);
      }
      character = next;
    }
    tokens.push({ kind: 'literal', text: character });
  }
  return tokens;
}

interface Search {
  readonly from: number;
  readonly anchored: boolean;
  readonly greedy: boolean;
}

/** The leftmost match, and of those the longest when greedy, else the shortest. */
function find(
  tokens: readonly Token[],
  text: readonly string[],
  { from, anchored, greedy }: Search,
): { start: number; end: number } | undefined {
  let states = new StateSet(tokens);
  let next = new StateSet(tokens);
  let best: { start: number; end: number } | undefined;
  for (let position = from; ; position++) {
    if (best === undefined && (position === from || !anchored)) states.add(0, position);
    const start = states.startOfMatch();
    // A later start never beats an earlier one; the same start beats it by length, if length is wanted.
    if (
      start !== undefined &&
      (best === undefined || start < best.start || (start === best.start && greedy))
    ) {
      best = { start, end: position };
      if (!greedy) return best;
    }
    if (position === text.length) return best;
    states.step(text[position]!, next, best?.start ?? Number.POSITIVE_INFINITY);
    [states, next] = [next, states];
    next.clear();
    if (states.isEmpty && (anchored || best !== undefined)) return best;
  }
}

/** The pattern positions reached so far, each with the smallest start that leads there. */
class StateSet {
  readonly #tokens: readonly Token[];
  readonly #starts: Int32Array;
  #active: number[] = [];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
    this.#starts = new Int32Array(tokens.length + 1).fill(-1);
  }

  get isEmpty(): boolean {
    return this.#active.length === 0;
  }

  startOfMatch(): number | undefined {
    const start = this.#starts[this.#tokens.length]!;
    return start === -1 ? undefined : start;
  }

  add(state: number, start: number): void {
    const known = this.#starts[state]!;
    if (known !== -1 && known <= start) return;
    if (known === -1) this.#active.push(state);
    this.#starts[state] = start;
    if (this.#tokens[state]?.kind === 'star') this.add(state + 1, start);
  }

  step(character: string, next: StateSet, latestStart: number): void {
    for (const state of this.#active) {
      const start = this.#starts[state]!;
      const token = this.#tokens[state];
      if (token === undefined || start > latestStart) continue;
      if (token.kind === 'literal') {
        if (token.text === character) next.add(state + 1, start);
      } else if (character !== '\n') {
        next.add(token.kind === 'star' ? state : state + 1, start);
      }
    }
  }

  clear(): void {
    for (const state of this.#active) this.#starts[state] = -1;
    this.#active = [];
  }
}

/**
 * `${NAME//p/r}` hands its replacement to Go's `Regexp.ReplaceAllString`, where `$0` is the match, `$$` is `$` and any
 * other `$name` is nothing. (Only `//`: a single `/` inserts the text as it is.) A `$` gets here out of a variable's value
 * or escaped. https://pkg.go.dev/regexp#Regexp.Expand
 */
function fillTemplate(replacement: string, matched: string): string {
  return replacement.replace(
    /\$(?:(\$)|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu,
    (_, dollar, bare, braced) => {
      if (dollar !== undefined) return '$';
      return /^0+$/.test(bare ?? braced) ? matched : '';
    },
  );
}
