/**
 * A command line as a shell would split it, as far as people type it before TAB; the last word, maybe empty, is the one
 * that is being typed. `undefined` while a quote is open: what is typed there is text, and nobody can know which.
 */
export function splitLine(line: string): string[] | undefined {
  const words = [''];
  const rest = line.trimStart().replace(WORDS, (_all, space, single, double, escaped, plain) => {
    if (space !== undefined) words.push('');
    else
      words[words.length - 1] +=
        single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? plain;
    return '';
  });
  return rest === '' ? words : undefined;
}

const WORDS = /(\s+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)/gsy;
