import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readIndex } from '../../src/layer/index-file.ts';
import type { Layer, LayerInput } from '../../src/layer/layer.ts';
import { overlayTop, stackTree } from '../../src/layer/stack.ts';
import { writeLayer } from '../../src/layer/write.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { type FileNode, type FileTree, joinPath } from '../../src/tree/file-tree.ts';
import { tarOf } from '../helpers/archives.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { anyInputs, directoryOf, fileOf, symlinkTo } from './tree-builder.ts';

function layer(inputs: readonly LayerInput[]): Layer {
  return writeLayer(inputs, { directory: tempDirectory() });
}

/** A layer of somebody else, with these empty files. */
function received(names: readonly string[]): Layer {
  const directory = tempDirectory();
  const bytes = tarOf(names.map((name) => ({ name })));
  const [tar, index] = [join(directory, 'tar'), join(directory, 'index')];
  writeFileSync(tar, bytes);
  return { diffID: digestOf(bytes), size: bytes.length, tar, index };
}

const at = (path: string): LayerInput => ({ path, node: fileOf('x') });
const gone = (path: string): LayerInput => ({ path, whiteout: true });

/** From a short form: text is a file, `null` a deletion, an object a directory, `{'!': true}` an opaque one. */
interface Sketch {
  readonly [name: string]: string | null | true | Sketch;
}

function sketch(tree: Sketch): Layer {
  const inputs: LayerInput[] = [];
  const visit = (directory: string, children: Sketch) => {
    for (const [name, what] of Object.entries(children)) {
      const path = joinPath(directory, name);
      if (what === true) continue;
      if (what === null) inputs.push({ path, whiteout: true });
      else if (typeof what === 'string')
        inputs.push({
          path,
          node: what.startsWith('->') ? symlinkTo(what.slice(2)) : fileOf(what),
        });
      else {
        inputs.push({ path, node: directoryOf(), ...('!' in what && { opaque: true }) });
        visit(path, what);
      }
    }
  };
  visit('', tree);
  return layer(inputs);
}

/** Every path of a tree, found by listing; lookup must agree. */
function paths(tree: FileTree): string[] {
  const found: string[] = [];
  const visit = (directory: string) => {
    for (const name of tree.list(directory)) {
      const path = joinPath(directory, name);
      const node = tree.lookup(path)!;
      expect(node).toBeDefined();
      found.push(`${path}${node.type === 'directory' ? '/' : `=${node.size}`}`);
      if (node.type === 'directory') visit(path);
    }
  };
  visit('');
  return found;
}

describe('a stack of layers', () => {
  test.each<[string, Sketch[], string[]]>([
    ['shows files of all', [{ a: 'x' }, { b: 'xx' }], ['a=1', 'b=2']],
    ['shows the higher of two files', [{ a: 'x' }, { a: 'xx' }], ['a=2']],
    [
      'merges directories',
      [{ d: { a: 'x', b: 'x' } }, { d: { b: 'xx', c: 'xx' } }],
      ['d/', 'd/a=1', 'd/b=2', 'd/c=2'],
    ],
    [
      'deletes',
      [
        { a: 'x', d: { b: 'x', c: 'x' } },
        { a: null, d: { b: null } },
      ],
      ['d/', 'd/c=1'],
    ],
    ['deletes what is not there', [{ a: 'x' }, { b: null, c: { d: null } }], ['a=1', 'c/']],
    ['deletes a directory with all below', [{ d: { e: { f: 'x' } } }, { d: null }], []],
    [
      'makes again what was deleted',
      [{ d: { a: 'x' } }, { d: null }, { d: { b: 'xx' } }],
      ['d/', 'd/b=2'],
    ],
    [
      'hides what lies below an opaque directory',
      [{ d: { a: 'x' } }, { d: { '!': true, b: 'xx' } }, { d: { c: 'xxx' } }],
      ['d/', 'd/b=2', 'd/c=3'],
    ],
    ['replaces a directory by a file', [{ d: { a: 'x' } }, { d: 'xx' }], ['d=2']],
    ['replaces a directory by a symlink', [{ d: { a: 'x' } }, { d: '->e' }], ['d=0']],
    ['replaces a file by a directory', [{ d: 'x' }, { d: { a: 'xx' } }], ['d/', 'd/a=2']],
    [
      'does not see through a file that was between',
      [{ d: { a: 'x' } }, { d: 'x' }, { d: { b: 'xx' } }],
      ['d/', 'd/b=2'],
    ],
    [
      'sorts by code unit',
      [
        { b: '', B: '' },
        { 'a-': '', a: { x: '' } },
      ],
      ['B=0', 'a/', 'a/x=0', 'a-=0', 'b=0'],
    ],
  ])('%s', (_, layers, expected) => {
    expect(paths(stackTree(layers.map(sketch)))).toEqual(expected);
  });

  test('of no layers is empty', () => {
    const tree = stackTree([]);
    expect(tree.list('')).toEqual([]);
    expect(tree.lookup('')).toMatchObject({ type: 'directory' });
  });

  test('takes attributes from the highest layer that lists a path', () => {
    const low = layer([
      { path: '', node: directoryOf({ mode: 0o700 }) },
      { path: 'd', node: directoryOf({ mode: 0o711 }) },
    ]);
    const high = layer([{ path: 'd', node: directoryOf({ mode: 0o1777, uid: 5 }) }]);
    const tree = stackTree([low, high]);
    expect(tree.lookup('d')).toMatchObject({ mode: 0o1777, uid: 5 });
    expect(tree.lookup('')).toMatchObject({ mode: 0o700 });
  });

  test('gives directories that no tar lists the attributes of a plain one', () => {
    const tree = stackTree([layer([{ path: 'usr/lib/x', node: fileOf('x') }])]);
    expect(tree.lookup('usr/lib')).toMatchObject({ type: 'directory', mode: 0o755, uid: 0 });
    expect(tree.list('usr')).toEqual(['lib']);
  });

  describe('with a directory that the tar of a higher layer does not list', () => {
    const tmp = {
      mode: 0o1777,
      uid: 1,
      gid: 2,
      mtime: 3n,
      xattrs: { 'user.a': Uint8Array.of(98) },
    };
    const below = { path: 'tmp', node: directoryOf(tmp) };
    const plain = { mode: 0o755, uid: 0, gid: 0 };
    test.each<[string, LayerInput[][], object]>([
      ['has the attributes that it has below', [[below], [at('tmp/x')], [at('tmp/y')]], tmp],
      [
        'has those that are listed above others',
        [[{ path: 'tmp', node: directoryOf({ mode: 0o700 }) }], [below], [at('tmp/x')]],
        tmp,
      ],
      ['has those of below if a deletion alone is in it', [[below], [gone('tmp/x')]], tmp],
      ['is a plain one where there was a file', [[at('tmp')], [at('tmp/x')]], plain],
      ['is a plain one where it was deleted', [[below], [gone('tmp')], [at('tmp/x')]], plain],
      ['is a plain one where a file was between', [[below], [at('tmp')], [at('tmp/x')]], plain],
      [
        'is a plain one where the directory above is another',
        [
          [
            { path: 'd', node: directoryOf() },
            { ...below, path: 'd/tmp' },
          ],
          [{ path: 'd', node: directoryOf(), opaque: true }],
          [at('d/tmp/x')],
        ],
        plain,
      ],
    ])('%s', (_, stack, expected) => {
      const tree = stackTree(stack.map(layer));
      const path = tree.lookup('tmp') ? 'tmp' : 'd/tmp';
      expect(tree.lookup(path)).toMatchObject({ type: 'directory', ...expected });
    });

    test('keeps what the directory is if only its content is marked as gone', () => {
      const stack = [layer([below, at('tmp/old')]), received(['tmp/.wh..wh..opq', 'tmp/new'])];
      const tree = stackTree(stack);
      expect(tree.lookup('tmp')).toMatchObject(tmp);
      expect(tree.list('tmp')).toEqual(['new']);
      expect([...overlayTop(stack).entries.keys()]).toEqual(['', 'tmp']);
    });
  });

  describe('needs directories listed on top', () => {
    const listed = (path: string, mode: number) => ({ path, node: directoryOf({ mode }) });
    test.each<[string, LayerInput[][], string[]]>([
      ['not if all are listed', [[listed('d', 0o711)], [listed('d', 0o700), at('d/x')]], []],
      ['not if none is', [[at('d/x')], [at('d/y')]], []],
      ['not where a higher layer lists them', [[at('d/x')], [listed('d', 0o700)]], []],
      [
        'where the highest does not, with those above',
        [[listed('a', 0o711), listed('a/b', 0o700), listed('c', 0o700)], [at('a/b/x')]],
        ['', 'a', 'a/b'],
      ],
      ['not where they are gone', [[listed('d', 0o700)], [at('d/x')], [gone('d')]], []],
      [
        'that are one layer’s alone, with deletions in them',
        [[at('x')], [gone('d/e/x')]],
        ['', 'd', 'd/e'],
      ],
      [
        'not where there is something to delete',
        [
          [listed('d', 0o700), at('d/x')],
          [listed('d', 0o700), gone('d/x')],
        ],
        [],
      ],
      ['if there is but one layer, which deletes', [[gone('x')]], ['']],
    ])('%s', (_, stack, expected) => {
      const layers = stack.map(layer);
      const { entries } = overlayTop(layers);
      expect([...entries.keys()]).toEqual(expected);
      const tree = stackTree(layers);
      for (const [path, entry] of entries) expect(entry).toEqual({ path, node: tree.lookup(path) });
    });
  });

  test('finds nothing below what is no directory, and does not follow symlinks', () => {
    const tree = stackTree([sketch({ d: { a: 'x' }, s: '->d', f: 'x' })]);
    for (const path of ['s/a', 'f/a', 'd/a/b', 'none', 'none/a']) {
      expect(tree.lookup(path)).toBeUndefined();
      expect(tree.list(path)).toEqual([]);
    }
  });

  test('keeps inodes of different layers apart', () => {
    const linked = (text: string) => {
      const node = fileOf(text, { inode: '1' });
      return layer([
        { path: text, node },
        { path: `${text}2`, node },
      ]);
    };
    const tree = stackTree([linked('a'), linked('b')]);
    expect(tree.lookup('a')!.inode).toBe(tree.lookup('a2')!.inode);
    expect(tree.lookup('a')!.inode).not.toBe(tree.lookup('b')!.inode);
  });

  test('loads each index once, and only when asked', () => {
    const loaded: Layer[] = [];
    const layers = [sketch({ a: 'x' }), sketch({ b: 'x' })];
    const tree = stackTree(layers, (one) => {
      loaded.push(one);
      return readIndex(one);
    });
    expect(loaded).toEqual([]);
    tree.lookup('a');
    tree.lookup('b');
    tree.list('');
    expect(loaded.toSorted()).toEqual(layers.toReversed().toSorted());
  });

  test('is what applying one layer after the other gives', () => {
    fc.assert(
      fc.property(fc.array(anyInputs, { minLength: 1, maxLength: 3 }), (stack) => {
        const expected = applied(stack);
        const tree = stackTree(stack.map(layer));
        for (const [path, node] of expected) expect(tree.lookup(path)?.type).toBe(node.type);
        expect(paths(tree)).toHaveLength(expected.size);
      }),
      { numRuns: 60 },
    );
  });
});

/** The image spec's rules, applied one change at a time to a map of paths. */
function applied(stack: readonly (readonly LayerInput[])[]): Map<string, FileNode> {
  const state = new Map<string, FileNode>();
  const remove = (path: string, itself: boolean) => {
    for (const other of [...state.keys()])
      if ((itself && other === path) || other.startsWith(`${path}/`)) state.delete(other);
  };
  for (const inputs of stack) {
    for (const input of inputs) {
      if ('whiteout' in input) remove(input.path, true);
      else if (input.opaque) remove(input.path, false);
    }
    for (const input of inputs) {
      if ('whiteout' in input) continue;
      const before = state.get(input.path);
      if (before !== undefined && (before.type !== 'directory' || input.node.type !== 'directory'))
        remove(input.path, true);
      state.set(input.path, input.node);
    }
  }
  return state;
}
