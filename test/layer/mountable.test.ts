import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { MNT_DETACH, mount, umount } from '../../src/host/syscalls.ts';
import type { Layer, LayerInput } from '../../src/layer/layer.ts';
import {
  isQuicklyPrepared,
  type MountableOptions,
  type MountForm,
  prepareMountable,
} from '../../src/layer/mountable.ts';
import { probeForms } from '../../src/layer/probe-forms.ts';
import { writeLayer } from '../../src/layer/write.ts';
import { hexOf } from '../../src/oci/digest.ts';
import { openStore } from '../../src/store/store.ts';
import { compileScript } from '../helpers/script.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { arbitraryLayer } from './arbitrary-layer.ts';
import { make, type Packed } from './pack.ts';
import { enterPrivateMounts } from './private-mounts.ts';
import { readBack } from './read-back.ts';

enterPrivateMounts();

let home: string;
let mounts: string;
let warnings: string[];
beforeEach(() => {
  home = join(tempDirectory(), 'home');
  mounts = mountsDirectory();
  warnings = [];
});

const PACKED: readonly Packed[] = [
  { path: 'bin', node: make.directory() },
  { path: 'bin/tool', node: make.file({ mode: 0o4755, uid: 7 }), data: 'tool' },
  { path: 'gone', whiteout: true },
];

describe.each<MountForm>(['erofs', 'erofs-loop', 'directory'])('a layer prepared as %s', (form) => {
  it('shows the files of the layer', () => {
    const { form: made, lower } = prepare(written(PACKED), [form]);
    expect(made).toBe(form);
    expect(readFileSync(join(lower, 'bin/tool'), 'utf8')).toBe('tool');
    expect(readBack(lower)).toMatchObject({
      'bin/tool': { mode: 0o4755, owner: '7:0' },
      gone: { device: '0:0' },
    });
    expect(readdirSync(join(home, 'tmp'))).toEqual([]);
  });

  it('is made once, and used again by this executor and the next', () => {
    const layer = written(PACKED);
    const first = prepare(layer, [form]);
    const before = statSync(kept(layer, form));
    rmSync(layer.index);
    expect(prepare(layer, [form])).toEqual(first);
    mounts = mountsDirectory();
    expect(readBack(prepare(layer, [form]).lower)).toEqual(readBack(first.lower));
    expect(statSync(kept(layer, form))).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
  });

  it('that is hostile leaves nothing behind', () => {
    const layer = written(PACKED);
    truncateSync(layer.tar, layer.size - 1024);
    writeFileSync(layer.index, 'damaged');
    writeFileSync(layer.tar, 'damaged');
    expect(() => prepare(layer, [form])).toThrowError(expect.objectContaining({ code: 'ARCHIVE' }));
    expect([
      readdirSync(join(home, 'tmp')),
      readdirSync(join(home, 'layers')),
      readdirSync(mounts),
    ]).toEqual([[], [], []]);
  });
});

describe('the two forms', () => {
  it('show the same of any layer', () => {
    fc.assert(
      fc.property(arbitraryLayer(), (packed) => {
        const layer = written(packed);
        const [erofs, directory] = (['erofs', 'directory'] as const).map(
          (form) => prepare(layer, [form]).lower,
        );
        expect(readBack(erofs!)).toEqual(readBack(directory!));
      }),
      { numRuns: 25 },
    );
  });

  it('stand in for each other: what EROFS cannot take is unpacked, and that is said', () => {
    // The tar's path is an option of mount(2), and commas separate those.
    const layer = written(PACKED, 'a,b');
    expect(prepare(layer, ['erofs', 'directory'])).toEqual({
      form: 'directory',
      lower: kept(layer, 'directory'),
    });
    expect(warnings).toEqual([expect.stringContaining(`unpack layer ${layer.diffID}: mount`)]);
    expect(readdirSync(mounts)).toEqual([]);
    expect(() => prepare(layer, ['erofs'])).toThrowError(
      expect.objectContaining({ code: 'UNSUPPORTED_HOST' }),
    );
  });

  it('are kept apart for root and for a user, whose owners and marks differ', () => {
    const layer = written(PACKED);
    const asRoot = prepare(layer, ['directory']);
    const asUser = prepare(layer, ['directory'], { rootless: true });
    expect(asUser.lower).not.toBe(asRoot.lower);
  });
});

describe('an EROFS image in the store', () => {
  it.each([
    ['cut short', (file: string) => truncateSync(file, 512)],
    ['cut by its last block', (file: string) => truncateSync(file, statSync(file).size - 512)],
    ['emptied', (file: string) => truncateSync(file, 0)],
    [
      'overwritten with zeros',
      (file: string) => writeFileSync(file, Buffer.alloc(statSync(file).size)),
    ],
  ])('is made again when it was %s', (_, damage) => {
    const layer = written(PACKED);
    prepare(layer, ['erofs']);
    const image = readFileSync(kept(layer, 'erofs'));
    damage(kept(layer, 'erofs'));
    mounts = mountsDirectory();
    expect(readBack(prepare(layer, ['erofs']).lower)).toHaveProperty('bin/tool');
    expect(readFileSync(kept(layer, 'erofs'))).toEqual(image);
  });
});

describe('a layer is quickly prepared', () => {
  const isQuick = (layer: Layer, form: MountForm) =>
    isQuicklyPrepared(layer, { home, forms: [form], rootless: false });
  const grow = (file: string) => truncateSync(file, 10 << 20);

  it.each<[MountForm, 'index' | 'tar']>([
    ['erofs', 'index'],
    ['directory', 'tar'],
  ])('as %s if its %s is small, or the form is there', (form, what) => {
    const layer = written(PACKED);
    expect(isQuick(layer, form)).toBe(true);
    prepare(layer, [form]);
    grow(layer[what]);
    const grown = { ...layer, size: statSync(layer.tar).size };
    expect(isQuick(grown, form)).toBe(true);
    rmSync(kept(layer, form), { recursive: true });
    expect(isQuick(grown, form)).toBe(false);
  });

  it('never without an index: the tar is read first', () => {
    const layer = written(PACKED);
    rmSync(layer.index);
    expect(isQuick(layer, 'erofs')).toBe(false);
  });
});

describe('processes that unpack one layer at once', () => {
  it('all get the directory, of which there is one', async () => {
    const layer = written(PACKED);
    const directory = tempDirectory();
    const script = compileScript(
      directory,
      `import { prepareMountable } from '#src/layer/mountable.ts';
       const [home, layer] = process.argv.slice(2);
       console.log('ready');
       process.stdin.once('data', () => {
         console.log(prepareMountable(JSON.parse(layer), { home, forms: ['directory'], rootless: false }).lower);
         process.exit(0);
       });`,
    );
    // The script lies in a temporary directory, from where koffi is not found.
    vi.stubEnv('NODE_PATH', join(import.meta.dirname, '../../node_modules'));
    const running = Array.from({ length: 4 }, () => script.start(home, JSON.stringify(layer)));
    for (const process of running) await process.line();
    for (const { child } of running) child.stdin!.write('go\n');
    const lowers = await Promise.all(running.map((process) => process.line()));
    await Promise.all(running.map((process) => process.done()));
    expect(new Set(lowers)).toEqual(new Set([kept(layer, 'directory')]));
    expect(readdirSync(join(home, 'tmp'))).toEqual([]);
    expect(readFileSync(join(lowers[0]!, 'bin/tool'), 'utf8')).toBe('tool');
  });
});

describe('the forms that work on this host', () => {
  it('are both, with root and on a plain disk', () => {
    expect(probeForms({ home, mounts, rootless: false })).toEqual(['erofs', 'directory']);
  });

  it.each([
    ['in a user namespace', { rootless: true }],
    ['without a place for mounts', { mounts: undefined }],
  ])('are only the directory %s', (_, options) => {
    expect(probeForms({ home, mounts, rootless: false, ...options })).toEqual(['directory']);
  });

  it('are loop devices and directory where the store lies on an overlay, on which no files are stacked', () => {
    const base = tempDirectory();
    for (const name of ['upper', 'work', 'merged']) mkdirSync(join(base, name));
    const merged = join(base, 'merged');
    const data = `lowerdir=${mounts},upperdir=${base}/upper,workdir=${base}/work`;
    mount('overlay', merged, 'overlay', 0, data);
    onTestFinished(() => umount(merged, MNT_DETACH));
    const options = { home: join(merged, 'home'), mounts, rootless: false };
    expect(probeForms(options)).toEqual(['erofs-loop', 'directory']);
    mount('tmpfs', '/dev', 'tmpfs', 0, 'size=64k');
    onTestFinished(() => umount('/dev', MNT_DETACH));
    expect(probeForms(options)).toEqual(['directory']);
  });

  it('are found without a trace', () => {
    probeForms({ home, mounts, rootless: false });
    expect([readdirSync(mounts), readdirSync(join(home, 'tmp'))]).toEqual([[], []]);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(`${mounts}/`);
  });
});

function written(packed: readonly Packed[], name = 'layer'): Layer {
  const inputs = packed.map((entry): LayerInput => {
    if ('whiteout' in entry || entry.data === undefined) return entry;
    const { data, node, ...rest } = entry;
    const bytes = Buffer.from(data as string);
    return { ...rest, node: { ...node, size: bytes.length, content: { bytes } } };
  });
  const directory = join(tempDirectory(), name);
  mkdirSync(directory);
  return writeLayer(parentsFirst(inputs), { directory });
}

function parentsFirst(inputs: readonly LayerInput[]): LayerInput[] {
  return [...inputs].sort((a, b) => a.path.split('/').length - b.path.split('/').length);
}

function prepare(layer: Layer, forms: readonly MountForm[], more: Partial<MountableOptions> = {}) {
  const onWarning = (message: string) => warnings.push(message);
  return prepareMountable(layer, { home, forms, mounts, rootless: false, onWarning, ...more });
}

/** As an executor has it: a filesystem of its own, with which all that is mounted on it goes. */
function mountsDirectory(): string {
  const directory = tempDirectory();
  mount('tmpfs', directory, 'tmpfs', 0, 'size=1m');
  onTestFinished(() => umount(directory, MNT_DETACH));
  return directory;
}

/** What is kept in the store of a layer in that form. */
function kept(layer: Layer, form: MountForm): string {
  return openStore(home).path(
    'layers',
    `${hexOf(layer.diffID)}${form === 'directory' ? '' : '.erofs'}`,
  );
}
