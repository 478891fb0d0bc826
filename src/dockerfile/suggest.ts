/** "Did you mean …?": the known word nearest to a mistyped one, if any is near. */

const MAX_DISTANCE = 3;

export interface SuggestOptions {
  /** A difference in case is a difference, as in names of variables. */
  readonly caseSensitive?: boolean;
}

export function suggest(
  word: string,
  known: Iterable<string>,
  { caseSensitive = false }: SuggestOptions = {},
): string | undefined {
  const fold = (text: string) => (caseSensitive ? text : text.toLowerCase());
  const folded = fold(word);
  let best: string | undefined;
  let bestDistance = MAX_DISTANCE;
  for (const candidate of known) {
    const distance = editDistance(folded, fold(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** A hint for an error: `did you mean "build"?`. */
export function didYouMean(word: string, known: Iterable<string>): string | undefined {
  const guess = suggest(word, known);
  return guess === undefined ? undefined : `did you mean ${guess}?`;
}

/** The end of a message: ` (did you mean build?)`, or nothing. */
export function orMeant(
  word: string,
  known: Iterable<string>,
  options: SuggestOptions = {},
): string {
  const guess = suggest(word, known, options);
  return guess === undefined ? '' : ` (did you mean ${guess}?)`;
}

/** Levenshtein: insertions, removals and changes of one character. */
function editDistance(a: string, b: string): number {
  // A long word is a pasted command and not a mistyped name; the table below is quadratic.
  if (Math.abs(a.length - b.length) >= MAX_DISTANCE) return MAX_DISTANCE;
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const change = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(change, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
