import { describe, expect, it } from 'vitest';
import { recipe } from '../../src/cache/recipe.ts';
import type { CacheRecord } from '../../src/cache/records.ts';
import { TsbuildError } from '../../src/errors.ts';
import type { BuildEvent } from '../../src/events.ts';
import type { Plan, RunOp, Step } from '../../src/graph/step.ts';
import type { Layer } from '../../src/layer/layer.ts';
import type { CacheKey, DiffID } from '../../src/oci/digest.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { OpHandlers, StepContext } from '../../src/scheduler/handler.ts';
import { schedule } from '../../src/scheduler/schedule.ts';
import { EMPTY_TREE } from '../../src/tree/file-tree.ts';

const platform = { os: 'linux', architecture: 'amd64' };

function run(
  id: string,
  inputs: readonly string[] = [],
  parent?: string,
  options: Partial<Step> = {},
): Step {
  const op = { type: 'run', args: [id] } as unknown as RunOp;
  return {
    id,
    op,
    inputs,
    name: `RUN ${id}`,
    display: `RUN ${id}`,
    stage: 's',
    platform,
    noCache: false,
    ...(parent ? { parent } : {}),
    ...options,
  };
}

function planOf(...steps: Step[]): Plan {
  return {
    steps: new Map(steps.map((step) => [step.id, step])),
    images: [],
    targets: [],
  };
}

function layerOf(text: string): Layer {
  return {
    diffID: digestOf<DiffID>(text),
    size: text.length,
    tar: `/${text}.tar`,
    index: `/${text}.index`,
  };
}

/** A machine whose steps each make a layer named after them. */
function machine(
  behaviour: Partial<Record<string, (context: StepContext<RunOp>) => Promise<void>>> = {},
) {
  const executed: string[] = [];
  /** For each step that was executed, the tar of what was made before. */
  const before: (string | undefined)[] = [];
  const events: BuildEvent[] = [];
  const layers = new Map<DiffID, Layer>();
  const records = new Map<CacheKey, CacheRecord>();
  const handlers = {
    run: async (context: StepContext<RunOp>) => ({
      recipe: recipe(context.step.op.args[1] ?? 'run.v1', {
        parent: context.parent.chain,
        args: context.step.op.args,
        inputs: context.inputs.map((input) => input.chain ?? ''),
      }),
      execute: async (find: () => Layer | undefined) => {
        executed.push(context.step.id);
        before.push(find()?.tar);
        await behaviour[context.step.id]?.(context);
        const layer = layerOf(context.step.op.args[0]!);
        layers.set(layer.diffID, layer);
        return layer;
      },
    }),
  } as unknown as OpHandlers;
  const build = (plan: Plan, targets: readonly string[], signal = new AbortController().signal) =>
    schedule(plan, targets, {
      handlers,
      image: async () => [],
      records: {
        get: (key) => records.get(key),
        latest: (name) => [...records.values()].findLast((record) => record.name === name),
        put: (record) => void records.set(record.key, record),
        all: () => records.values(),
      },
      layerAt: (diffID) => layers.get(diffID),
      treeOf: () => EMPTY_TREE,
      emit: (event) => events.push(event),
      signal,
      parallelism: 2,
      now: () => '2026-01-01T00:00:00Z',
    });
  const outcomes = () =>
    events.flatMap((event) =>
      event.type === 'step.end' ? [`${event.step} ${event.outcome}`] : [],
    );
  return { build, executed, before, events, layers, records, outcomes };
}

describe('the scheduler', () => {
  it('executes a chain in order and stacks its layers', async () => {
    const { build, executed } = machine();
    const { results, total, cached } = await build(planOf(run('a'), run('b', [], 'a')), ['b']);
    expect(executed).toEqual(['a', 'b']);
    expect(results.get('b')!.layers.map((layer) => layer.tar)).toEqual(['/a.tar', '/b.tar']);
    expect({ total, cached }).toEqual({ total: 2, cached: 0 });
  });

  it('answers from the records the second time', async () => {
    const { build, executed, outcomes } = machine();
    const plan = planOf(run('a'), run('b', [], 'a'));
    await build(plan, ['b']);
    const { cached } = await build(plan, ['b']);
    expect(executed).toEqual(['a', 'b']);
    expect(cached).toBe(2);
    expect(outcomes()).toEqual(['a done', 'b done', 'a cached', 'b cached']);
  });

  it('leaves out steps that the target does not need', async () => {
    const { build, executed } = machine();
    await build(planOf(run('a'), run('unneeded'), run('b', [], 'a')), ['b']);
    expect(executed).not.toContain('unneeded');
  });

  it('runs independent steps at the same time', async () => {
    let arrived = 0;
    let open: () => void;
    const both = new Promise<void>((resolve) => {
      open = resolve;
    });
    const meet = async () => {
      arrived += 1;
      if (arrived === 2) open();
      await both;
    };
    const { build, executed } = machine({ a: meet, b: meet });
    await build(planOf(run('a'), run('b'), run('c', ['a', 'b'])), ['c']);
    expect(executed.at(-1)).toBe('c');
  });

  it('executes steps with equal keys once', async () => {
    const twin = { ...run('twin').op, args: ['same'] } as unknown as RunOp;
    const { build, executed } = machine();
    await build(
      planOf(
        run('a', [], undefined, { op: twin }),
        run('b', [], undefined, { op: twin }),
        run('c', ['a', 'b']),
      ),
      ['c'],
    );
    expect(executed).toHaveLength(2);
  });

  it('executes again what lost its layer', async () => {
    const { build, executed, layers } = machine();
    await build(planOf(run('a')), ['a']);
    layers.clear();
    await build(planOf(run('a')), ['a']);
    expect(executed).toEqual(['a', 'a']);
  });

  it('executes again what a crash has left a part of', async () => {
    const { build, executed, layers } = machine();
    await build(planOf(run('a')), ['a']);
    for (const [diffID, layer] of layers) layers.set(diffID, { ...layer, size: 0 });
    await build(planOf(run('a')), ['a']);
    expect(executed).toEqual(['a', 'a']);
  });

  it('says what changed when no record answers', async () => {
    const { build, events } = machine();
    await build(planOf(run('a')), ['a']);
    const changed = { ...run('a').op, args: ['other'] } as unknown as RunOp;
    await build(planOf(run('a', [], undefined, { op: changed })), ['a']);
    expect(events.flatMap((event) => (event.type === 'step.end' ? [event.missed] : []))).toEqual([
      undefined,
      'args changed',
    ]);
  });

  it('finds for a step that is executed what it made before, or the last one of its name', async () => {
    const { build, before, layers } = machine();
    const step = (args: readonly string[], noCache = false) =>
      planOf(run('a', [], undefined, { op: { type: 'run', args } as unknown as RunOp, noCache }));
    await build(step(['one']), ['a']);
    await build(step(['two']), ['a']);
    await build(step(['one'], true), ['a']);
    expect(before).toEqual([undefined, '/one.tar', '/one.tar']);
    await build(step(['two'], true), ['a']);
    await build(step(['three', 'run.v2']), ['a']);
    expect(before.slice(3)).toEqual(['/two.tar', undefined]);
    for (const [diffID, layer] of layers) layers.set(diffID, { ...layer, size: 0 });
    await build(step(['one'], true), ['a']);
    layers.clear();
    await build(step(['two'], true), ['a']);
    expect(before.slice(5)).toEqual([undefined, undefined]);
  });

  it('executes what must not come from the cache', async () => {
    const { build, executed } = machine();
    const step = run('a', [], undefined, { noCache: true });
    await build(planOf(step), ['a']);
    await build(planOf(step), ['a']);
    expect(executed).toEqual(['a', 'a']);
  });

  it('continues with the cache when a rebuilt parent turns out equal', async () => {
    const { build, executed } = machine();
    await build(planOf(run('a'), run('b', [], 'a')), ['b']);
    await build(planOf(run('a', [], undefined, { noCache: true }), run('b', [], 'a')), ['b']);
    expect(executed).toEqual(['a', 'b', 'a']);
  });

  it('throws the first failure with the place and name of its step, and cancels the rest', async () => {
    const location = { file: 'Dockerfile', line: 3 };
    const { build, executed, outcomes } = machine({
      bad: async () => {
        throw new TsbuildError('CONTEXT', 'no such file');
      },
      slow: ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
    });
    const plan = planOf(
      run('bad', [], undefined, { location }),
      run('slow'),
      run('after', [], 'bad'),
      run('c', ['after', 'slow']),
    );
    await expect(build(plan, ['c'])).rejects.toMatchObject({
      code: 'CONTEXT',
      message: 'no such file',
      location,
      step: 'RUN bad',
    });
    expect(executed.sort()).toEqual(['bad', 'slow']);
    expect(outcomes().sort()).toEqual(['bad failed', 'slow canceled']);
  });

  it('rejects with the reason of the abort', async () => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const { build } = machine({
      a: async ({ signal }) => {
        controller.abort(reason);
        signal.throwIfAborted();
      },
    });
    await expect(build(planOf(run('a')), ['a'], controller.signal)).rejects.toBe(reason);
  });

  it('keeps characters whole that output split in two', async () => {
    const [first, second] = [Buffer.from('ü').subarray(0, 1), Buffer.from('ü').subarray(1)];
    const { build, events } = machine({
      a: async ({ log }) => {
        log('stdout', first);
        log('stdout', second);
      },
    });
    await build(planOf(run('a')), ['a']);
    expect(
      events.flatMap((event) => (event.type === 'step.log' ? [event.text] : [])).join(''),
    ).toBe('ü');
  });
});
