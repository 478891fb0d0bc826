/** The same inputs give the same bytes: by whom, where and when they are built does not matter. */
import { createHash } from 'node:crypto';
import { readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type As, type Cli, createCli } from '../helpers/cli.ts';

const EPOCH = '1600000000';
const FILES = {
  Dockerfile: `FROM busybox AS build
ARG TARGETARCH
WORKDIR /src
COPY . .
RUN mkdir out && for i in 3 1 2; do seq $((i * 1000)) > out/$i; done && ln out/1 out/hard && ln -s 1 out/soft && date +%N > date
FROM busybox
COPY --from=build --chown=7:8 /src/out /out
RUN --mount=type=cache,target=/cache echo run > /made && rm /out/2 && touch /cache/x
ADD --chmod=600 text /text
LABEL z=1 a=2
ENV B=1 A=2
VOLUME /z /a
HEALTHCHECK CMD true
`,
  'several.Dockerfile': 'FROM scratch\nARG TARGETARCH\nCOPY . /$TARGETARCH\n',
  text: 'text\n'.repeat(10_000),
  'deep/er/file': 'x',
  script: { content: '#!/bin/sh\n', mode: 0o755 },
};

interface Place {
  readonly cli: Cli;
  readonly context: string;
}

let places: readonly Place[];
beforeAll(async () => {
  // Also the times of the inputs differ: a checkout gives files the time at which it is made.
  places = await Promise.all(
    (['root', 'user'] as const).map(async (as: As, at) => {
      const cli = createCli(as);
      await cli.base();
      const context = cli.context(FILES);
      const time = 1_700_000_000 + at * 86_400;
      for (const name of ['text', 'script', 'deep/er/file', 'deep/er', 'deep', '.'])
        utimesSync(join(context, name), time, time);
      return { cli, context };
    }),
  );
});
afterAll(() => Promise.all(places.map(({ cli }) => cli[Symbol.asyncDispose]())));

async function digestOf({ cli, context }: Place, members: string, ...args: string[]) {
  const file = join(cli.directory, 'result.tar');
  const env = { SOURCE_DATE_EPOCH: EPOCH };
  await cli.ok(['build', '--no-cache', '-o', `dest=${file},${members}`, ...args, context], { env });
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

test.each([
  ['an OCI layout', 'type=oci,rewrite-timestamp=true', ['-t', 'same:1']],
  ['an uncompressed one', 'type=oci,compression=uncompressed,rewrite-timestamp=true', []],
  ['a docker archive', 'type=docker,rewrite-timestamp=true', ['-t', 'same:1']],
])('%s: root and an ordinary user, apart, get equal bytes', async (_, members, args) => {
  const found = await Promise.all(places.map((place) => digestOf(place, members, ...args)));
  expect(found[0]).toBe(found[1]);
});

test('so they do for several platforms', async () => {
  const args = ['--platform', 'linux/amd64,linux/arm64,linux/arm/v7', '-t', 'several:1'];
  const found = await Promise.all(
    places.map((place) =>
      digestOf(place, 'type=oci', ...args, '-f', join(place.context, 'several.Dockerfile')),
    ),
  );
  expect(found[0]).toBe(found[1]);
});

test('and so does a build that takes its steps from the cache', async () => {
  const [{ cli, context }] = places as [Place];
  const members = 'type=oci,rewrite-timestamp=true';
  const first = await digestOf({ cli, context }, members);
  const file = join(cli.directory, 'again.tar');
  const env = { SOURCE_DATE_EPOCH: EPOCH };
  await cli.ok(['build', '-o', `dest=${file},${members}`, context], { env });
  expect(createHash('sha256').update(readFileSync(file)).digest('hex')).toBe(first);
});
