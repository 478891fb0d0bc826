import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { build } from 'esbuild';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { closeGate, createGate, ownGate } from '../../src/host/native-gate.ts';
import { createWorkers } from '../../src/host/workers.ts';

const host = join(import.meta.dirname, '../../src/host');

/** A thread that does nothing but load koffi and call by it. */
const ENTRY = `
import { loadKoffi } from '${host}/koffi.ts';
import { serveTasks } from '${host}/worker-thread.ts';
serveTasks({
  call: (_, { report }) => {
    report('loading');
    const koffi = loadKoffi();
    const getpid = koffi.load(null).func('int getpid()');
    const bytes = Buffer.alloc(8);
    report('calling');
    for (;;) {
      if (getpid() !== process.pid || koffi.address(bytes) === 0n) throw new Error('wrong');
    }
  },
});
`;

let entry: URL;
beforeAll(async () => {
  const bundled = await build({
    stdin: { contents: ENTRY, resolveDir: join(import.meta.dirname, '../..'), loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    write: false,
    banner: {
      // In a thread from a data URL, there is no place to look for packages from.
      js: `import{createRequire as __cr}from'node:module';const require=__cr(${JSON.stringify(import.meta.url)});`,
    },
    define: { 'import.meta.url': JSON.stringify(import.meta.url) },
  });
  entry = new URL(`data:text/javascript,${encodeURIComponent(bundled.outputFiles[0]!.text)}`);
});

test.each(['loading', 'calling'])(
  'a thread may be ended at any time while it is %s',
  async (at) => {
    const workers = createWorkers({ entry, size: 1 });
    onTestFinished(() => workers[Symbol.asyncDispose]());
    for (let round = 0; round < 40; round += 1) {
      const stop = new AbortController();
      const onProgress = (report: unknown) => {
        if (report === at) setTimeout(() => stop.abort(new Error('enough')), (round % 10) / 2);
      };
      const running = workers.run('call', undefined, { signal: stop.signal, onProgress });
      await expect(running).rejects.toThrow('enough');
    }
  },
);

test('a gate is passed as long as it is open, and closed when nobody is inside', async () => {
  const gate = createGate();
  const pass = ownGate({ gate })!;
  expect(pass(() => 'through')).toBe('through');
  expect(() => pass(() => JSON.parse('{'))).toThrow(SyntaxError);
  const cell = new Int32Array(gate);
  Atomics.store(cell, 0, 1);
  let isClosed = false;
  const closing = closeGate(gate).then(() => {
    isClosed = true;
  });
  await pause(20);
  expect(isClosed).toBe(false);
  Atomics.store(cell, 0, 0);
  await closing;
  await closeGate(gate);
});

test.each([undefined, null, {}, { gate: 1 }])('a thread of nobody has none: %j', (data) => {
  expect(ownGate(data)).toBeUndefined();
});
