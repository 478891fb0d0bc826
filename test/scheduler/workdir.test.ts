import { describe, expect, it } from 'vitest';
import type { Step, WorkdirOp } from '../../src/graph/step.ts';
import type { Layer, LayerInput } from '../../src/layer/layer.ts';
import type { StepContext } from '../../src/scheduler/handler.ts';
import { workdirHandler } from '../../src/scheduler/workdir.ts';
import { describeNode, treeOf } from '../helpers/trees.ts';

const PASSWD = 'app:x:5:6::/:/bin/sh\n';
const LINES = [
  'd755 0/0 0 etc',
  `-644 0/0 ${PASSWD.length} etc/passwd`,
  'd700 7/8 0 there',
  'l777 0/0 0 link -> there',
];

/** What the layer of `WORKDIR path` holds; nothing if none is made. */
async function made(path: string, user?: string): Promise<string[]> {
  let written: readonly LayerInput[] = [];
  const prepare = workdirHandler({
    createdTime: 7n,
    async writeLayer(inputs) {
      written = inputs;
      return {} as Layer;
    },
  });
  const op: WorkdirOp = { type: 'workdir', path, ...(user ? { user } : {}) };
  const parent = { tree: treeOf(LINES, { 'etc/passwd': PASSWD }), layers: [{}], chain: undefined };
  const context = { step: { op } as Step<WorkdirOp>, parent } as unknown;
  await (await prepare(context as StepContext<WorkdirOp>)).execute(() => undefined);
  return written.map((input) => ('node' in input ? describeNode(input.path, input.node) : ''));
}

describe('WORKDIR', () => {
  it.each([
    ['/', []],
    ['/there', []],
    ['/link/', []],
    ['/new', ['d755 0/0 0 new']],
    ['/link/a', ['d700 7/8 0 there', 'd755 0/0 0 there/a']],
    ['/a/.//../b/', ['d755 0/0 0 a', 'd755 0/0 0 b']],
    ['/a/../there', ['d755 0/0 0 a']],
  ])('%s makes what is missing on the way', async (path, entries) => {
    expect(await made(path)).toEqual(entries);
  });

  it.each([
    ['app', '5/6'],
    ['9', '9/9'],
    ['9:10', '9/10'],
    ['nobody', '0/0'],
  ])('belongs to %s as --chown has it', async (user, owner) => {
    expect(await made('/w', user)).toEqual([`d755 ${owner} 0 w`]);
  });

  it.each(['/etc/passwd', '/etc/passwd/x'])('refuses %s', async (path) => {
    await expect(made(path)).rejects.toThrow('/etc/passwd exists and is not a directory');
  });
});
