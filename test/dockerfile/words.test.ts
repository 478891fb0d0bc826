import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  expandHeredoc,
  expandWord,
  expandWordDetails,
  splitWords,
  WordError,
} from '../../src/dockerfile/words.ts';

// Each expectation was asked of a Docker Engine (LABEL and EXPOSE, docker inspect).
const env = {
  x: 'abcabc',
  empty: '',
  path: 'a/b}c',
  dollar: '$0-y',
  list: '80 90',
  padded: ' 1 2 ',
  lines: 'a\nb\nb',
  star: 'a*b?c',
  letters: 'é日𝒳x',
  é: 'accented',
};
const backslash = { escape: '\\' };
const backquote = { escape: '`' };

describe('expandWord', () => {
  const table: [word: string, result: string][] = [
    ['', ''],
    ['plain  text', 'plain  text'],
    ['$x', 'abcabc'],
    ['${x}', 'abcabc'],
    ['a$x/b', 'aabcabc/b'],
    ['$unset', ''],
    ['[$unset${unset}]', '[]'],
    ['$é|$', 'accented|$'],
    ['$', '$'],
    ['$ $/', '$ $/'],
    ['$1a$12b', 'ab'],
    ['$@$*$#$?$-$$$!$0', ''],
    ['${1}${@}', ''],
    ['$x-y', 'abcabc-y'],
    // Quotes.
    [`'$x'"$x"`, '$xabcabc'],
    [`"it's"`, "it's"],
    [`'a"b'`, 'a"b'],
    [`''""`, ''],
    [`a"b c"d`, 'ab cd'],
    // Escapes.
    ['\\$x', '$x'],
    ['\\a\\\\\\"', 'a\\"'],
    ['"\\a\\$x\\"\\\\"', '\\a$x"\\'],
    [`'\\a\\'`, '\\a\\'],
    ['a\\', 'a'],
    ['"a\\ b"', 'a\\ b'],
    // Substitutions.
    ['${x:-w}${unset:-w}${empty:-w}', 'abcabcww'],
    ['${x-w}${unset-w}${empty-w}', 'abcabcw'],
    ['${x:+w}${unset:+w}${empty:+w}', 'w'],
    ['${x+w}${unset+w}${empty+w}', 'ww'],
    ['${x:?w}${empty?w}', 'abcabc'],
    ['${unset:-"q r"}${unset:-\'$x\'}', 'q r$x'],
    ['${unset:-${empty:-$x}}', 'abcabc'],
    ['${unset:-a\\}b}', 'a}b'],
    ['"${unset:-"a"}"', 'a'],
    // Trimming.
    ['${x#*b}|${x##*b}|${x%b*}|${x%%b*}', 'cabc|c|abca|a'],
    ['${x#?}|${x%?}|${x#z}|${x#\\*}', 'bcabc|abcab|abcabc|abcabc'],
    ['${x#"a"}|${x#\'a*\'}', 'bcabc|bcabc'],
    ['${star#a\\*}|${star%\\?c}|${star%%\\**}', 'b?c|a*b|a'],
    ['${unset#a}|${empty##*}', '|'],
    ['${letters#??}|${letters%?x}', '𝒳x|é日'],
    ['${lines#*b}|${lines##*}|${lines%%b*}', 'a\nb\nb|\nb\nb|a\nb\n'],
    // Replacing.
    ['${x/b/-}|${x//b/-}|${x//b/}', 'a-cabc|a-ca-c|acac'],
    ['${x//?b/-}|${x/b*/-}|${x//*/-}|${x///-}', '-c-c|a-|-|-a-b-c-a-b-c-'],
    ['${path/\\//_}|${path/\\}/_}', 'a_b}c|a/b_c'],
    ['${path/b/\\}}|${path/b/\\/}', 'a/\\}}c|a/\\/}c'],
    ['${lines//?/x}|${lines//*/r}|${lines/$lines/y}', 'x\nx\nx|r\nr\nr|y'],
    ['${x//a/$dollar}|${x/a/$dollar}', 'a-ybca-ybc|$0-ybcabc'],
    // A leading byte order mark is dropped, as the engine does.
    ['\ufeffa\ufeff', 'a\ufeff'],
  ];
  it.each(table)('%j gives %j', (word, result) => {
    expect(expandWord(word, env, backslash)).toBe(result);
  });

  it.each([
    ['`$x', '$x'],
    ['\\$x', '\\abcabc'],
    ['"`"`$```a"', '"$``a'],
    ['C:\\dir', 'C:\\dir'],
    ['${x#`*}', 'abcabc'],
    ['a`', 'a'],
  ])('%j with ` as escape gives %j', (word, result) => {
    expect(expandWord(word, env, backquote)).toBe(result);
  });

  it.each([
    ['${', 'missing'],
    ['${x', 'unsupported modifier'],
    ['${}', 'bad substitution'],
    ['${:-a}', 'bad substitution'],
    ['${{x}}', 'bad substitution'],
    ['${x:}', 'missing'],
    ['${x!y}', 'unsupported modifier (!)'],
    ['${x:#a}', 'unsupported modifier (:#)'],
    ['${x:/a/b}', 'unsupported modifier (:/)'],
    ['${a[@]}', 'unsupported modifier ([)'],
    ['${x:-a', "missing '}'"],
    ['${x/a}', "missing '/'"],
    ['${x/a/b', "missing '}'"],
    ['${x#\\a}', 'invalid escape'],
    ['"a', 'double-quote'],
    ["'a", 'single-quote'],
    ["${unset:-'}", 'single-quote'],
  ])('%j is malformed', (word, message) => {
    expect(() => expandWord(word, env, backslash)).toThrow(WordError);
    expect(() => expandWord(word, env, backslash)).toThrow(message);
  });

  it('fails a ? check with the expanded text, or a default one', () => {
    expect(() => expandWord('${unset?need $x}', env, backslash)).toThrow('unset: need abcabc');
    expect(() => expandWord('${unset:?}', env, backslash)).toThrow(
      'unset: is not allowed to be unset',
    );
    expect(() => expandWord('${empty:?}', env, backslash)).toThrow(
      'empty: is not allowed to be empty',
    );
  });

  it('takes names from the environment alone', () => {
    expect(expandWord('[$constructor$__proto__$toString]', {}, backslash)).toBe('[]');
    const own = JSON.parse('{"__proto__":"v"}');
    expect(expandWord('$__proto__', own, backslash)).toBe('v');
  });
});

describe('splitWords', () => {
  it.each([
    ['a  b\tc', ['a', 'b', 'c']],
    ['$list', ['80', '90']],
    ['"$list"', ['80 90']],
    ['"70"1', ['701']],
    ['8$padded"9"', ['8', '1', '2', '9']],
    ['3"0"$padded/udp', ['30', '1', '2', '/udp']],
    ['"" \'\' $empty', []],
    ["a'b c'd\\ e", ['ab cd e']],
    ['${unset:-a b} c', ['a', 'b', 'c']],
    ['', []],
  ])('%j gives %j', (word, words) => {
    expect(splitWords(word, env, backslash)).toEqual(words);
  });
});

it('tells which of the variables it saw are set, also in the branch not taken', () => {
  const details = expandWordDetails("$x ${no:-$empty} ${x:-$other} '$quoted'", env, backslash);
  expect(details.result).toBe('abcabc  abcabc $quoted');
  expect([...details.matched].sort()).toEqual(['empty', 'x']);
  expect([...details.unmatched].sort()).toEqual(['no', 'other']);
});

it('leaves quotes in the text of a here-document alone', () => {
  const text = "'$x' \"$x\" it's \\$x \\n \\\\\n";
  expect(expandHeredoc(text, env).result).toBe("'abcabc' \"abcabc\" it's $x n \\\n");
});

describe('hostile words', () => {
  const start = (depth: number) => '${a:-'.repeat(depth);

  it('are refused when nested beyond reason', () => {
    expect(() => expandWord(start(10_000), {}, backslash)).toThrow('nested too deeply');
    expect(expandWord(`${start(400)}x${'}'.repeat(400)}`, {}, backslash)).toBe('x');
  });

  it('do not make patterns slow', () => {
    const value = 'a'.repeat(20_000);
    const pattern = `${'*a'.repeat(30)}b`;
    const begin = performance.now();
    for (const form of [`\${v##${pattern}}`, `\${v%%${pattern}}`, `\${v//${pattern}/}`]) {
      expect(expandWord(form, { v: value }, backslash)).toBe(value);
    }
    // A backtracking matcher takes longer than the universe; the bound is loose for slow machines.
    expect(performance.now() - begin).toBeLessThan(5000);
  });

  it('give a result or a WordError, whatever they are', () => {
    const pieces = [
      '$',
      '{',
      '}',
      ':',
      '-',
      '+',
      '?',
      '#',
      '%',
      '/',
      '*',
      '\\',
      '"',
      "'",
      '`',
      'x',
      ' ',
      'é',
      '${x',
    ];
    const word = fc
      .array(fc.constantFrom(...pieces), { maxLength: 40 })
      .map((list) => list.join(''));
    fc.assert(
      fc.property(word, fc.constantFrom('\\', '`'), (text, escapeCharacter) => {
        try {
          const options = { escape: escapeCharacter };
          const result = expandWord(text, env, options);
          expect(splitWords(text, env, options).join('').length).toBeLessThanOrEqual(result.length);
        } catch (error) {
          expect(error).toBeInstanceOf(WordError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('survive a round trip through double quotes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(!text.startsWith('\ufeff'));
        const quoted = `"${text.replace(/["$\\]/g, '\\$&')}"`;
        expect(expandWord(quoted, env, backslash)).toBe(text);
        expect(splitWords(quoted, env, backslash)).toEqual(text === '' ? [] : [text]);
      }),
    );
  });
});
