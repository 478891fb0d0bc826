import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { build } from 'esbuild';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { isTsbuildError, TsbuildError } from '../../src/errors.ts';
import { fromPlainError, toPlainError } from '../../src/host/error-transport.ts';
import { createWorkers, inlineWorkers, type Tasks, type Workers } from '../../src/host/workers.ts';

/** What the threads of these tests can do. Bundled below: a thread cannot load TypeScript. */
const ENTRY = `
import { threadId } from 'node:worker_threads';
import { TsbuildError } from '${join(import.meta.dirname, '../../src/errors.ts')}';
import { serveTasks } from '${join(import.meta.dirname, '../../src/host/worker-thread.ts')}';
serveTasks({
  echo: (input) => input,
  thread: () => threadId,
  later: (input) => new Promise((resolve) => setImmediate(resolve, input)),
  count: (n, { report }) => { for (let i = 1; i <= n; i += 1) report(i); return 'done'; },
  bytes: (n, { transfer }) => { const bytes = new Uint8Array(n); transfer(bytes.buffer); return bytes; },
  fail: () => { throw new TsbuildError('CONTEXT', 'read a file: it is gone', { hint: 'look for it', cause: Object.assign(new Error('no such file'), { code: 'ENOENT' }) }); },
  spin: (flag) => { Atomics.store(flag, 0, 1); Atomics.notify(flag, 0); for (;;) Atomics.add(flag, 1, 1); },
  turn: ({ flags, n }) => { if (Atomics.compareExchange(flags, 0, n, n + 1) !== n) throw new Error('not in order'); return threadId; },
  die: () => process.exit(3),
  secret: () => () => {},
});
`;

let entryText: string;
beforeAll(async () => {
  const bundled = await build({
    stdin: { contents: ENTRY, resolveDir: import.meta.dirname },
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
  });
  entryText = `data:text/javascript,${encodeURIComponent(bundled.outputFiles[0]!.text)}`;
});

function start(size = 2): Workers {
  const workers = createWorkers({ entry: new URL(entryText), size });
  onTestFinished(() => workers[Symbol.asyncDispose]());
  return workers;
}

/** Shared memory that a spinning task marks when it has begun. */
async function spinning(workers: Workers, signal?: AbortSignal, lane?: object) {
  const flag = new Int32Array(new SharedArrayBuffer(8));
  const running = workers.run('spin', flag, { ...(signal && { signal }), lane });
  running.catch(() => {});
  await Atomics.waitAsync(flag, 0, 0).value;
  return { running, flag };
}

describe('worker threads', () => {
  test('run tasks on plain data, bytes and big integers', async () => {
    const input = { list: [1n, 'a'], bytes: Uint8Array.of(1, 2) };
    expect(await start().run('echo', input)).toEqual(input);
    expect(await start().run('later', 1)).toBe(1);
  });

  test('are as many as there is work for, and no more than allowed', async () => {
    const workers = start(2);
    const first = await workers.run('thread', 0);
    expect(await workers.run('thread', 0)).toBe(first);
    const threads = await Promise.all(Array.from({ length: 20 }, () => workers.run('thread', 0)));
    expect(new Set(threads).size).toBe(2);
  });

  test('start before there is work if they are told to', async () => {
    const warm = start();
    warm.warm();
    const later = await start().run('thread', 0);
    expect(await warm.run('thread', 0)).toBeLessThan(later as number);
  });

  test('end when they have nothing to do, unless they are held', async () => {
    const workers = start();
    const first = await workers.run('thread', 0);
    {
      using _threads = workers.hold();
      await pause(100);
      expect(await workers.run('thread', 0)).toBe(first);
      await pause(100);
    }
    expect(await workers.run('thread', 0)).toBe(first);
    await pause(100);
    expect(await workers.run('thread', 0)).not.toBe(first);
  });

  test('answer each task with its own result', async () => {
    const workers = start(2);
    const inputs = Array.from({ length: 100 }, (_, i) => i);
    expect(await Promise.all(inputs.map((i) => workers.run(i % 2 ? 'echo' : 'later', i)))).toEqual(
      inputs,
    );
  });

  test('do what is on one lane in its order, each thing when the one before is done, without being asked', async () => {
    const workers = start(2);
    const lane = {};
    const flags = new Int32Array(new SharedArrayBuffer(4));
    const ran = Array.from({ length: 5 }, (_, n) => workers.run('turn', { flags, n }, { lane }));
    // This thread hears nothing meanwhile; only a thread that has all of them gets through.
    const deadline = Date.now() + 30_000;
    while (Atomics.load(flags, 0) < 5 && Date.now() < deadline) Atomics.wait(flags, 0, -1, 1);
    expect(Atomics.load(flags, 0)).toBe(5);
    const threads = (await Promise.all(ran)) as number[];
    expect(new Set(threads).size).toBe(1);
  });

  test('have other lanes in other threads', async () => {
    const workers = start(2);
    const [a, b] = [{}, {}];
    const { running } = await spinning(workers, undefined, a);
    const onA = workers.run('echo', 'a', { lane: a });
    onA.catch(() => {});
    expect(await workers.run('echo', 'b', { lane: b })).toBe('b');
    expect(await workers.run('echo', 'c')).toBe('c');
    await workers[Symbol.asyncDispose]();
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(onA).rejects.toMatchObject({ code: 'ABORTED' });
  });

  test('wait with all of a lane while there is no thread for it', async () => {
    const workers = start(1);
    const stop = new AbortController();
    const { running } = await spinning(workers, stop.signal);
    const lane = {};
    const ran = [1, 2, 3].map((n) => workers.run('later', n, { lane }));
    stop.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    expect(await Promise.all(ran)).toEqual([1, 2, 3]);
  });

  test('do what is on a lane in its order also where others wait in between', async () => {
    const workers = start(1);
    const stop = new AbortController();
    const { running } = await spinning(workers, stop.signal);
    const lane = {};
    const flags = new Int32Array(new SharedArrayBuffer(4));
    const turn = (n: number) => workers.run('turn', { flags, n }, { lane });
    const ran = [turn(0), workers.run('echo', 0), turn(1)];
    stop.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    // By now the lane has a thread, which has not begun.
    await Promise.all([...ran, turn(2)]);
  });

  test('end all of a lane with what is aborted there, and with the thread', async () => {
    const workers = start(1);
    const stop = new AbortController();
    const lane = {};
    const { running } = await spinning(workers, undefined, lane);
    const second = workers.run('echo', 2, { lane, signal: stop.signal });
    second.catch(() => {});
    stop.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    await expect(second).rejects.toThrow('enough');
    const died = [workers.run('die', 0, { lane }), workers.run('echo', 3, { lane })];
    const code = { code: 'INTERNAL' };
    await Promise.all(died.map((job) => expect(job).rejects.toMatchObject(code)));
    expect(await workers.run('echo', 4, { lane })).toBe(4);
  });

  test('do the next thing on a lane after one that failed or cannot be sent', async () => {
    const workers = start(1);
    const lane = {};
    const failed = expect(workers.run('fail', 0, { lane })).rejects.toThrow('read a file');
    const unsent = expect(workers.run('echo', () => {}, { lane })).rejects.toThrow('be cloned');
    const next = workers.run('echo', 1, { lane });
    await Promise.all([failed, unsent]);
    expect(await next).toBe(1);
  });

  test('report what they do', async () => {
    const seen: unknown[] = [];
    expect(await start().run('count', 3, { onProgress: (value) => seen.push(value) })).toBe('done');
    expect(seen).toEqual([1, 2, 3]);
  });

  test('move buffers both ways', async () => {
    const workers = start();
    expect(await workers.run('bytes', 1000)).toHaveLength(1000);
    const bytes = new Uint8Array(1000);
    await workers.run('echo', bytes, { transfer: [bytes.buffer] });
    expect(bytes.buffer.byteLength).toBe(0);
  });

  test('fail with the error of the task, code and hint included', async () => {
    const failure = await start()
      .run('fail', 0)
      .catch((error: TsbuildError) => error);
    expect(isTsbuildError(failure)).toBe(true);
    expect(failure).toMatchObject({
      code: 'CONTEXT',
      message: 'read a file: it is gone',
      hint: 'look for it',
    });
    expect((failure as TsbuildError).cause).toMatchObject({
      message: 'no such file',
      code: 'ENOENT',
    });
  });

  test('go on after tasks that failed, are unknown, or cannot be sent', async () => {
    const workers = start(1);
    await expect(workers.run('fail', 0)).rejects.toThrow();
    await expect(workers.run('none', 0)).rejects.toThrow('no such task: none');
    await expect(workers.run('toString', 0)).rejects.toThrow('no such task: toString');
    await expect(workers.run('echo', () => {})).rejects.toThrow('could not be cloned');
    await expect(workers.run('secret', 0)).rejects.toThrow('could not be cloned');
    expect(await workers.run('echo', 1)).toBe(1);
  });

  test('are replaced when they die', async () => {
    const workers = start(1);
    const died = workers.run('die', 0);
    const next = workers.run('echo', 2);
    await expect(died).rejects.toMatchObject({
      code: 'INTERNAL',
      message: 'run die: the worker thread died',
    });
    expect(await next).toBe(2);
  });

  test('are stopped in the middle of a task that is aborted, and replaced', async () => {
    const workers = start(1);
    const controller = new AbortController();
    const { running, flag } = await spinning(workers, controller.signal);
    const next = workers.run('echo', 3);
    controller.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    const turns = flag[1];
    expect(await next).toBe(3);
    expect(flag[1]).toBe(turns);
  });

  test('never hear of tasks that are aborted while they wait', async () => {
    const workers = start(1);
    const stop = new AbortController();
    const { running } = await spinning(workers, stop.signal);
    const controller = new AbortController();
    const waiting = workers.run('echo', 1, { signal: controller.signal });
    controller.abort(new Error('never mind'));
    await expect(waiting).rejects.toThrow('never mind');
    await expect(
      workers.run('echo', 1, { signal: AbortSignal.abort(new Error('too late')) }),
    ).rejects.toThrow('too late');
    stop.abort(new Error('stop'));
    await expect(running).rejects.toThrow('stop');
  });

  test('end with their pool, and so do their tasks', async () => {
    const workers = start(1);
    const { running } = await spinning(workers);
    const waiting = workers.run('echo', 1);
    waiting.catch(() => {});
    await workers[Symbol.asyncDispose]();
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(workers.run('echo', 1)).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe('inline workers', () => {
  const tasks: Tasks = {
    double: (n: number) => n * 2,
    report: (n: number, { report }) => report(n),
    fail: () => {
      throw new TsbuildError('STORE', 'no');
    },
  };
  test('do the same in the calling thread', async () => {
    await using workers = inlineWorkers(tasks);
    const seen: unknown[] = [];
    expect(await workers.run('double', 21)).toBe(42);
    await workers.run('report', 7, { onProgress: (value) => seen.push(value) });
    expect(seen).toEqual([7]);
    await expect(workers.run('fail', 0)).rejects.toMatchObject({ code: 'STORE' });
    await expect(workers.run('none', 0)).rejects.toThrow('no such task');
    await expect(
      workers.run('double', 1, { signal: AbortSignal.abort(new Error('x')) }),
    ).rejects.toThrow('x');
  });
});

describe('an error that is sent', () => {
  test('keeps everything that is ours about it', () => {
    const location = { file: 'Dockerfile', line: 3 };
    const error = new TsbuildError('ARCHIVE', 'read it', {
      hint: 'do',
      location,
      step: '[1/2] COPY',
      retryable: true,
    });
    const received = fromPlainError(structuredClone(toPlainError(error)));
    expect(received).toEqual(error);
    expect(received).toMatchObject({
      code: 'ARCHIVE',
      hint: 'do',
      location,
      step: '[1/2] COPY',
      retryable: true,
    });
    expect(received.stack).toBe(error.stack);
  });

  test.each([
    ['a string', 'text', { message: 'text' }],
    ['a type error', new TypeError('wrong'), { name: 'TypeError', message: 'wrong' }],
    ['a system error', Object.assign(new Error('x'), { code: 'ENOSPC' }), { code: 'ENOSPC' }],
  ])('may be %s', (_, thrown, expected) => {
    expect(fromPlainError(structuredClone(toPlainError(thrown)))).toMatchObject(expected);
  });

  test('may be its own cause', () => {
    const error = new Error('round');
    error.cause = error;
    expect(fromPlainError(toPlainError(error)).message).toBe('round');
  });
});

test('threads that have nothing to do end after a moment, and others take their place', async () => {
  const workers = start(1);
  const first = await workers.run('thread', undefined);
  expect(await workers.run('thread', undefined)).toBe(first);
  // The clock of this thread, which the pool goes by too, and no guess of how long ending takes.
  await vi.waitFor(async () => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(await workers.run('thread', undefined)).not.toBe(first);
  });
});
