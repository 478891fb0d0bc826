import { once } from 'node:events';
import { chmodSync, cpSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cli, createCli } from '../helpers/cli.ts';

const DOCKERFILE = `FROM busybox
ARG USED=1
ARG UNSEEN=1
COPY data /data
RUN echo $USED; cat /data/file
`;

let cli: Cli;
beforeAll(async () => {
  cli = createCli();
  await cli.base();
});
afterAll(() => cli[Symbol.asyncDispose]());

interface Case {
  readonly what: string;
  /** Changes the context, and returns where it is now. */
  readonly change?: (context: string) => string | undefined;
  readonly args?: readonly string[];
}

/** Which steps of a second build after `change` ran, by the instruction they begin with. */
async function rebuilt({ change, args = [] }: Case): Promise<string[]> {
  // Each case has bytes of its own: the store is shared.
  const unique = Math.random().toString();
  let context = cli.context({
    Dockerfile: DOCKERFILE,
    '.dockerignore': 'data/ignored\n',
    'data/file': unique,
    'data/other': 'other',
    'data/ignored': '1',
  });
  // Twice: the second build goes by the stamps of directories, which the first one took.
  for (const _ of [1, 2]) await cli.ok(['build', context]);
  context = change?.(context) ?? context;
  const { status, stderr } = await cli.run(['build', '--progress=json', ...args, context]);
  expect(status, stderr).toBe(0);
  return ranSteps(stderr);
}

function ranSteps(json: string): string[] {
  const events = json
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const steps = new Map(
    events
      .flatMap((event) => (event.type === 'plan' ? event.steps : []))
      .map((step) => [step.id, step]),
  );
  return events
    .filter((event) => event.type === 'step.end' && event.outcome === 'done')
    .map((event) => steps.get(event.step))
    .filter((step) => step.kind === 'run' || step.kind === 'copy')
    .map((step) => step.kind);
}

describe('a second build is answered from the cache', () => {
  test.each<Case>([
    { what: 'with nothing changed' },
    {
      what: 'after touch',
      change: (context) => void utimesSync(join(context, 'data/file'), 1, 1),
    },
    {
      what: 'of a fresh checkout with other times',
      change: (context) => {
        cpSync(context, `${context}-copy`, { recursive: true });
        return `${context}-copy`;
      },
    },
    {
      what: 'of the context under another name',
      change: (context) => {
        renameSync(context, `${context}-renamed`);
        return `${context}-renamed`;
      },
    },
    {
      what: 'after a change in an ignored file',
      change: (context) => void writeFileSync(join(context, 'data/ignored'), '2'),
    },
    {
      what: 'after a change in a file that no step copies',
      change: (context) => void writeFileSync(join(context, 'README'), 'new'),
    },
    {
      what: 'after a change of a comment in the Dockerfile',
      change: (context) => void writeFileSync(join(context, 'Dockerfile'), `# new\n${DOCKERFILE}`),
    },
    {
      what: 'with another value for a metadata instruction below',
      change: (context) =>
        void writeFileSync(join(context, 'Dockerfile'), `${DOCKERFILE}LABEL a=b\nCMD true\n`),
    },
  ])('$what', async (each) => {
    expect(await rebuilt(each)).toEqual([]);
  });
});

describe('a second build runs again', () => {
  test.each<Case & { ran: string[] }>([
    {
      what: 'what copies a changed byte, and what follows',
      change: (context) => void writeFileSync(join(context, 'data/file'), Math.random().toString()),
      ran: ['copy', 'run'],
    },
    {
      what: 'what copies a changed mode',
      change: (context) => void chmodSync(join(context, 'data/file'), 0o755),
      ran: ['copy', 'run'],
    },
    {
      what: 'what copies a new name',
      change: (context) => void renameSync(join(context, 'data/other'), join(context, 'data/new')),
      ran: ['copy', 'run'],
    },
    { what: 'a RUN that sees a changed ARG', args: ['--build-arg', 'USED=2'], ran: ['run'] },
    {
      what: 'steps in another order',
      change: (context) => {
        const [from, ...rest] = DOCKERFILE.trim().split('\n');
        const [used, unseen, copy] = rest;
        const lines = [from, used, unseen, 'RUN echo first', copy, 'RUN cat /data/file'];
        writeFileSync(join(context, 'Dockerfile'), lines.join('\n'));
        return undefined;
      },
      ran: ['run', 'run'],
    },
    { what: 'everything with --no-cache', args: ['--no-cache'], ran: ['copy', 'run'] },
  ])('$what', async ({ ran, ...each }) => {
    const steps = await rebuilt(each);
    // A copy of the same bytes onto another parent may be found by its content.
    expect(steps.filter((step) => ran.includes(step) || step === 'run')).toEqual(
      expect.arrayContaining(ran),
    );
    if (!ran.includes('copy')) expect(steps.length).toBeLessThanOrEqual(ran.length + 1);
  });

  test('what stands on a changed base image', async () => {
    const base = (text: string) =>
      cli.context({ Dockerfile: `FROM busybox\nRUN echo ${text} > /base\n` });
    const context = cli.context({ Dockerfile: 'FROM cache-base\nRUN cat /base > /copy\n' });
    await cli.ok(['build', '-t', 'cache-base', base('one')]);
    await cli.ok(['build', context]);
    await cli.ok(['build', '-t', 'cache-base', base('two')]);
    const { stderr } = await cli.run(['build', '--progress=json', context]);
    expect(ranSteps(stderr)).toEqual(['run']);
  });
});

test('a cached build says so, and gives the same image', async () => {
  const context = cli.context({ Dockerfile: 'FROM busybox\nRUN date > /date\n' });
  const build = async (file: string) => {
    const { stderr } = await cli.run(['build', '--iidfile', file, context]);
    return { stderr, id: readFileSync(join(cli.directory, file), 'utf8') };
  };
  const first = await build('first');
  const second = await build('second');
  expect(first.stderr).toMatch(/^#\d+ DONE/m);
  expect(second.stderr).toMatch(/^#\d+ CACHED$/m);
  expect(second.id).toBe(first.id);
});

test('a file of ADD is fetched once, while its server says that it has not changed', async () => {
  const answers: number[] = [];
  const server = createServer((request, response) => {
    response.setHeader('ETag', '"1"');
    response.statusCode = request.headers['if-none-match'] === '"1"' ? 304 : 200;
    answers.push(response.statusCode);
    response.end(response.statusCode === 200 ? 'hello' : undefined);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`;
    const add = cli.context({ Dockerfile: `FROM busybox\nADD ${url} /\n` });
    const use = cli.context({ Dockerfile: `FROM busybox\nADD ${url} /x\nRUN grep hello /x\n` });
    for (const context of [add, add, use]) await cli.ok(['build', context]);
    expect(answers).toEqual([200, 304, 304]);
    await cli.ok(['prune', '--all', '--force']);
    await cli.ok(['build', add]);
    expect(answers.at(-1)).toBe(200);
  } finally {
    server.close();
  }
});
