import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { dispatch } from '../../src/cli/dispatch.ts';
import { fakeContext } from './context.ts';

async function output(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const context = fakeContext(env);
  expect(await dispatch(['completion', ...args], context)).toBe(0);
  return context.out();
}

/** What bash would put in place of the last word (as it sees words) if `tsbuild` answered with `replies`. */
async function bash(line: string, replies: string, breaks = '\t\n"\'><=;|&(: '): Promise<string[]> {
  const script = `
    tsbuild() { [[ "$*" == "completion bash --line "* ]] && printf %s "$REPLIES"; }
    compopt() { echo "compopt $*"; }
    ${await output(['bash'])}
    COMP_WORDBREAKS=$BREAKS
    _tsbuild
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = {
    PATH: process.env.PATH,
    REPLIES: replies,
    COMP_LINE: line,
    COMP_POINT: String(line.length),
    BREAKS: breaks,
  };
  const text = execFileSync('bash', ['--norc', '-eu', '-c', script], { env, encoding: 'utf8' });
  return text.split('\n').filter((each) => each !== '');
}

describe('the script for bash', () => {
  test('is valid', async () => {
    execFileSync('bash', ['-n'], { input: await output(['bash']) });
  });

  test.each<[string, string, string[]]>([
    ['tsbuild pu', 'pull\npush\n', ['pull', 'push']],
    ['tsbuild run localhost:50', 'localhost:5000/app:1\n', ['5000/app:1']],
    ['tsbuild run localhost:5000/app:', 'localhost:5000/app:1\n', ['1']],
    ['tsbuild --progress=p', '--progress=plain\n', ['plain']],
    ['tsbuild x', '', []],
  ])('takes for %j what is left of %j', async (line, replies, expected) => {
    expect(await bash(line, replies)).toEqual(expected);
  });

  test('leaves whole words to those who have taken the colon from the word breaks', async () => {
    expect(await bash('tsbuild run a:', 'a:1\n', ' \t\n')).toEqual(['a:1']);
  });

  test('adds no space behind a name whose value is still to come', async () => {
    expect(await bash('tsbuild --build-arg V', 'VERSION=\n')).toEqual([
      'compopt -o nospace',
      'VERSION=',
    ]);
  });

  test('is told words, and zsh what they do as well', async () => {
    expect(await output(['bash', '--line', 'tsbuild pul'])).toBe('pull\n');
    expect(await output(['zsh', '--line', 'tsbuild pul'])).toBe(
      'pull:Fetch an image from a registry\n',
    );
  });
});

describe('the shell', () => {
  test('is that of the person, if not named', async () => {
    expect(await output([], { SHELL: '/usr/bin/zsh' })).toMatch(/^#compdef tsbuild\n/);
    expect(await output([], { SHELL: '/bin/sh' })).toContain(
      'complete -o default -F _tsbuild tsbuild',
    );
  });

  test('must be one that there is a script for', async () => {
    await expect(output(['powershell'])).rejects.toMatchObject({
      code: 'USAGE',
      message: 'no completion for powershell',
      hint: 'use bash or zsh',
    });
  });
});
