import { hash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { wouldGive } from '../../src/layer/compare-inputs.ts';
import { readColumns } from '../../src/layer/index-file.ts';
import type { LayerInput } from '../../src/layer/layer.ts';
import { writeLayer } from '../../src/layer/write.ts';
import type { FileNode } from '../../src/tree/file-tree.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { anyInputs, directoryOf, fileOf, symlinkTo } from './tree-builder.ts';

interface Options {
  readonly sourceDateEpoch?: number;
}

const write = (inputs: readonly LayerInput[], options: Options = {}) =>
  writeLayer(inputs, { directory: tempDirectory(), ...options });

/** What is said of `inputs` and the layer of others. */
function compare(
  others: readonly LayerInput[],
  inputs: readonly LayerInput[],
  options: Options = {},
): boolean {
  return wouldGive(readColumns(write(others, options)), inputs.map(hashed), options);
}

/** As a COPY has it: digests are known before anything is planned. */
function hashed(input: LayerInput): LayerInput {
  if (!('node' in input)) return input;
  const { content, sha256 } = input.node;
  if (sha256 !== undefined || content === undefined || !('bytes' in content)) return input;
  return { ...input, node: { ...input.node, sha256: hash('sha256', content.bytes, 'hex') } };
}

const nodeOf = (input: LayerInput): FileNode | undefined =>
  'node' in input ? input.node : undefined;

/** Without what nobody looks closer at. */
function plain(inputs: readonly LayerInput[]): LayerInput[] {
  return inputs.flatMap((input): LayerInput[] => {
    const node = nodeOf(input);
    if (node === undefined || node.device !== undefined) return [];
    const { xattrs: _, inode: __, ...rest } = node;
    return [{ path: input.path, node: rest }];
  });
}

test('inputs are the same as the layer that they give', () => {
  fc.assert(
    fc.property(anyInputs, (inputs) => {
      expect(compare(plain(inputs), plain(inputs))).toBe(true);
    }),
    { numRuns: 100 },
  );
});

/** One input made into another, which may happen to be the same. */
const anyChange: fc.Arbitrary<(input: LayerInput) => LayerInput[]> = fc.oneof(
  fc.constant(() => []),
  fc.constant((input: LayerInput) => [{ path: input.path, whiteout: true as const }]),
  fc.constant((input: LayerInput) => ('node' in input ? [{ ...input, opaque: true }] : [input])),
  fc
    .string({ minLength: 1 })
    .map((end) => (input: LayerInput) => [
      { ...input, path: `${input.path}${end.replaceAll(/[/\0]/g, '_')}` },
    ]),
  fc
    .record<Partial<FileNode>>(
      {
        mode: fc.constantFrom(0o644, 0o600, 0o7777),
        uid: fc.nat(2),
        gid: fc.nat(2),
        mtime: fc.bigInt(0n, 2_000_000_000n),
        inode: fc.constantFrom('a', 'b'),
        linkTarget: fc.constantFrom('x', 'y'),
      },
      { requiredKeys: [] },
    )
    .map((more) => (input: LayerInput) => {
      const node = nodeOf(input);
      if (node === undefined) return [input];
      const { linkTarget, ...others } = more;
      const isLink = node.type === 'symlink' && linkTarget !== undefined;
      return [{ path: input.path, node: { ...node, ...others, ...(isLink && { linkTarget }) } }];
    }),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => (input: LayerInput) => {
    const node = nodeOf(input);
    if (node?.type !== 'file') return [input];
    return [{ path: input.path, node: { ...node, size: bytes.length, content: { bytes } } }];
  }),
);

const anyEpoch = fc.constantFrom<Options>({}, { sourceDateEpoch: 0 }, { sourceDateEpoch: 1 });

test('nothing is said to be the same that gives another layer', () => {
  const changes = fc.array(fc.tuple(fc.nat(20), anyChange), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(anyInputs, changes, fc.boolean(), anyEpoch, (any, all, isPlain, epoch) => {
      const others = isPlain ? plain(any) : any;
      const inputs = all.reduce<LayerInput[]>(
        (list, [at, change]) =>
          list.flatMap((input, n) => (n === at % list.length ? change(input) : [input])),
        [...others],
      );
      if (!compare(others, inputs, epoch)) return;
      expect(write(inputs, epoch).diffID).toBe(write(others, epoch).diffID);
    }),
    { numRuns: 300 },
  );
});

const DIRECTORY = { path: 'd', node: directoryOf() };
const file = (more: Partial<FileNode> = {}, text = 'text') => [
  DIRECTORY,
  { path: 'd/file', node: fileOf(text, more) },
];

test.each<[string, LayerInput[], LayerInput[]]>([
  ['another path', file(), [DIRECTORY, { path: 'd/other', node: fileOf('text') }]],
  ['another directory', file(), [{ ...DIRECTORY, path: 'e' }, file()[1]!]],
  [
    'another order',
    [...file(), { path: 'a', node: fileOf('') }],
    [{ path: 'a', node: fileOf('') }, ...file()],
  ],
  ['fewer', file(), [DIRECTORY]],
  ['more', [DIRECTORY], file()],
  ['another type', file({}, ''), file({ type: 'fifo' }, '')],
  ['what was opaque', [{ ...DIRECTORY, opaque: true }], [DIRECTORY]],
  ['another mode', file(), file({ mode: 0o600 })],
  ['another owner', file(), file({ uid: 1 })],
  ['another group', file(), file({ gid: 1 })],
  ['another time', file(), file({ mtime: 1n })],
  ['another size', file(), file({}, 'texts')],
  ['what is empty now', file(), file({}, '')],
  ['other bytes', file(), file({}, 'TEXT')],
  ['another target', [{ path: 'l', node: symlinkTo('a') }], [{ path: 'l', node: symlinkTo('b') }]],
  ['an attribute', file(), file({ xattrs: { 'user.a': Buffer.from('b') } })],
  ['an attribute less', file({ xattrs: { 'user.a': Buffer.from('b') } }), file()],
  [
    'what has become one file',
    [...file(), { path: 'd/twin', node: fileOf('text') }],
    [...file({ inode: '1' }), { path: 'd/twin', node: fileOf('text', { inode: '1' }) }],
  ],
  [
    'what was one file',
    [...file({ inode: '1' }), { path: 'd/twin', node: fileOf('text', { inode: '1' }) }],
    [...file({ inode: '1' }), { path: 'd/twin', node: fileOf('text', { inode: '2' }) }],
  ],
])('%s is different', (_, others, inputs) => {
  expect(compare(others, inputs)).toBe(false);
});

test.each([
  ['of the input', {}, false],
  ['of the layer', { sha256: hash('sha256', 'text', 'hex') }, true],
])('where the digest %s is not known, nothing is the same', (_, known, isWritten) => {
  const content = { file: join(tempDirectory(), 'file'), offset: 0, size: 4 };
  writeFileSync(content.file, 'text');
  const inputs = [{ path: 'file', node: fileOf('text', { content, ...known }) }];
  const layer = isWritten ? write(inputs) : write([{ path: 'file', node: fileOf('text') }]);
  // As it is made of a tar alone.
  if (isWritten) rmSync(layer.index);
  expect(wouldGive(readColumns(layer), inputs)).toBe(false);
});

test('times are compared as they are written', () => {
  const at = (seconds: bigint) => file({ mtime: seconds * 1_000_000_000n });
  const others = [{ path: 'd', node: directoryOf({ mtime: 9_000_000_000n }) }, at(9n)[1]!];
  const inputs = [{ path: 'd', node: directoryOf({ mtime: 7_000_000_000n }) }, at(8n)[1]!];
  expect(compare(others, inputs, { sourceDateEpoch: 5 })).toBe(true);
  expect(compare(others, inputs)).toBe(false);
});
