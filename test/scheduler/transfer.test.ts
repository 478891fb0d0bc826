import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDirectory } from '../../src/context/directory.ts';
import { hashFiles } from '../../src/context/hash-files.ts';
import type { CopyOp } from '../../src/graph/step.ts';
import type { LayerInput } from '../../src/layer/layer.ts';
import type { StepContext } from '../../src/scheduler/handler.ts';
import { transferHandler } from '../../src/scheduler/transfer.ts';
import { EMPTY_TREE } from '../../src/tree/file-tree.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const OP = {
  ...{ type: 'copy', instruction: 'COPY', from: { type: 'context', name: '' }, sources: ['src'] },
  ...{ destination: '/to', workdir: '/', exclude: [], parents: false, inline: [] },
} as unknown as CopyOp;

/** One build after the other, of a directory whose files are as old as `age` says, in milliseconds. */
function project(age: number) {
  const root = tempDirectory();
  fs.mkdirSync(join(root, 'src'));
  fs.writeFileSync(join(root, 'src/file'), 'content');
  const known = new Map<string, string>();
  return async () => {
    let asked = 0;
    let written: readonly LayerInput[] = [];
    const handler = transferHandler({
      contextTree: async () => openDirectory(root),
      contextWords: () => () => [],
      knownContents: {
        get: (stamp) => known.get(stamp),
        set: (...pair) => void known.set(...pair),
      },
      hashFiles: async (nodes) => {
        asked += 1;
        await hashFiles(nodes);
      },
      expectLayer: () => {},
      writeLayer: async (inputs) => {
        written = inputs;
        return undefined as never;
      },
      sources: {
        fetchSource: () => Promise.reject(new Error('no URL')),
        openArchives: async () => ({ archives: new Map(), async [Symbol.asyncDispose]() {} }),
      },
      createdTime: 0n,
      now: () => fs.statSync(join(root, 'src/file')).ctimeMs + age,
    });
    const step = { op: OP };
    const parent = { layers: [], chain: undefined, tree: EMPTY_TREE };
    const { signal } = new AbortController();
    const context = { step, parent, inputs: [], signal, span: () => {} };
    const prepared = await handler(context as unknown as StepContext<CopyOp>);
    return {
      recipe: prepared.recipe,
      execute: prepared.execute,
      asked: () => asked,
      written: () => written,
    };
  };
}

test('of a directory that has been copied before no file is asked for, until the step is executed', async () => {
  const build = project(10_000);
  const first = await build();
  expect(first.asked()).toBe(1);
  const second = await build();
  expect(second.asked()).toBe(0);
  expect(second.recipe).toEqual(first.recipe);
  for (const each of [first, second]) await each.execute(() => undefined);
  expect(second.asked()).toBe(1);
  const digests = (inputs: readonly LayerInput[]) =>
    inputs.map((input) => 'node' in input && input.node.sha256);
  expect(digests(second.written())).toEqual(digests(first.written()));
  expect(digests(second.written()).some((digest) => digest)).toBe(true);
});

test('what was changed a moment before it was looked at is not known the next time', async () => {
  const build = project(0);
  await build();
  expect((await build()).asked()).toBe(1);
});
