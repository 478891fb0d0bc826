import { describe, expect, test } from 'vitest';
import { errorAsJson, showError } from '../../src/cli/show-error.ts';
import { RunError, TsbuildError } from '../../src/errors.ts';

const failedRun = new RunError(
  'the command ended with exit status 2',
  { exitCode: 2, logTail: ['cc -c app.c', "app.c:1: error: expected ';'"] },
  {
    location: { file: 'Dockerfile', line: 12, lineText: 'RUN make all' },
    step: '[build 3/7] RUN make all',
    hint: 'run it again with --progress=plain to see everything that it printed',
  },
);

describe('an error is shown', () => {
  test('with the place, the source line, the step, the last lines and a hint', () => {
    expect(showError(failedRun)).toMatchInlineSnapshot(`
      "error: the command ended with exit status 2 [RUN_FAILED]
        --> Dockerfile:12
           |
        12 | RUN make all
           | ^^^^^^^^^^^^
        in [build 3/7] RUN make all
         | cc -c app.c
         | app.c:1: error: expected ';'
      hint: run it again with --progress=plain to see everything that it printed
      "
    `);
  });

  test('with a mark under the word at fault, tabs kept', () => {
    const [lineText, subject] = ['\tRUN --mnt=x true', '--mnt=x'];
    const location = { file: 'Dockerfile', line: 3, column: 6, lineText, subject };
    expect(
      showError(new TsbuildError('DOCKERFILE_PARSE', 'unknown flag --mnt', { location })),
    ).toMatchInlineSnapshot(`
        "error: unknown flag --mnt [DOCKERFILE_PARSE]
          --> Dockerfile:3:6
             |
           3 | 	RUN --mnt=x true
             | 	    ^^^^^^^
        "
      `);
  });

  test('with causes that say more than the message', () => {
    const cause = new Error('connect ECONNREFUSED 127.0.0.1:5000', {
      cause: new Error('pull app'),
    });
    expect(showError(new TsbuildError('NETWORK', 'pull app', { cause }))).toBe(
      'error: pull app [NETWORK]\n  caused by: connect ECONNREFUSED 127.0.0.1:5000\n',
    );
  });

  test('as a bug when it is none of ours', () => {
    expect(showError(new TypeError('x is not a function'))).toMatch(
      /^error: x is not a function \[INTERNAL\]\nhint: this is a bug in tsbuild/,
    );
  });

  test('without letting its text move the cursor', () => {
    const hostile = new TsbuildError('ARCHIVE', 'entry a\x1b[2J\x07\u009b1mb escapes');
    expect(showError(hostile)).toBe('error: entry a\\x1b[2J\\x07\\x9b1mb escapes [ARCHIVE]\n');
  });

  test('with stacks when asked for', () => {
    const error = new TsbuildError('NETWORK', 'outer', { cause: new Error('inner') });
    const text = showError(error, { debug: true });
    expect(text).toMatch(/TsbuildError: outer\n\s+at /);
    expect(text).toMatch(/Error: inner\n\s+at /);
  });

  test('in colours that are all reset', () => {
    const text = showError(failedRun, { color: true });
    expect(text.match(/\x1b\[[1-9]\d*m/g)?.length).toBe(text.match(/\x1b\[0m/g)?.length);
  });

  test('as one line of JSON for programs', () => {
    expect(JSON.parse(errorAsJson(failedRun))).toEqual({
      type: 'error',
      code: 'RUN_FAILED',
      message: 'the command ended with exit status 2',
      hint: failedRun.hint,
      location: failedRun.location,
      step: failedRun.step,
      exitCode: 2,
      logTail: failedRun.logTail,
    });
  });
});
