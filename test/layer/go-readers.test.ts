/** Docker, containerd and most registry tools read layers with Go's archive/tar and gzip; umoci stands for them here. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lgetxattr } from '../../src/host/syscalls.ts';
import { inlineWorkers } from '../../src/host/workers.ts';
import { compressLayer } from '../../src/layer/compress.ts';
import type { LayerInput } from '../../src/layer/layer.ts';
import { layerTasks } from '../../src/layer/tasks.ts';
import { writeLayer } from '../../src/layer/write.ts';
import { type DiffID, digestOf, hexOf } from '../../src/oci/digest.ts';
import { OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { directoryOf, fileOf, symlinkTo } from './tree-builder.ts';

const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
const text = Buffer.from(
  Array.from({ length: 300_000 }, (_, i) => `line ${(i * 7919) % 1000}\n`).join(''),
);
const random = randomBytes(1_500_000);
const mtime = 1_600_000_000_123_456_789n;

const inputs: LayerInput[] = [
  { path: 'dir', node: directoryOf({ mode: 0o1777, mtime }) },
  { path: 'dir/text', node: fileOf(text, { inode: '1', mtime, uid: 3_000_000 }) },
  { path: 'dir/hard', node: fileOf(text, { inode: '1', mtime, uid: 3_000_000 }) },
  { path: 'dir/random', node: fileOf(random) },
  {
    path: 'dir/capable',
    node: fileOf('x', { mode: 0o755, xattrs: { 'security.capability': capability } }),
  },
  { path: `dir/${'n'.repeat(200)}`, node: fileOf('long') },
  { path: 'dir/größe', node: fileOf('utf8') },
  { path: 'dir/no-text-\udcff', node: fileOf('bytes') },
  { path: 'dir/link', node: symlinkTo('l'.repeat(120)) },
];

/** An image of one gzip layer, in an OCI layout. */
async function layout(): Promise<string> {
  const directory = tempDirectory();
  const blobs = join(directory, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (mediaType: string, document: unknown) => {
    const bytes = Buffer.from(JSON.stringify(document));
    writeFileSync(join(blobs, hexOf(digestOf(bytes))), bytes);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  };
  const written = writeLayer(inputs, { directory: tempDirectory() });
  const target = join(directory, 'layer.gz');
  const blob = await compressLayer(
    { layer: written, format: 'gzip', target },
    { workers: inlineWorkers(layerTasks) },
  );
  renameSync(target, join(blobs, hexOf(blob.digest)));
  const diff_ids: DiffID[] = [written.diffID];
  const config = put(OCI_CONFIG, {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids },
  });
  const layers = [{ mediaType: OCI_LAYER_GZIP, ...blob }];
  const manifest = put(OCI_MANIFEST, { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers });
  const annotations = { 'org.opencontainers.image.ref.name': 'x' };
  writeFileSync(
    join(directory, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return directory;
}

test('umoci unpacks a compressed layer as it was meant', async () => {
  const bundle = join(tempDirectory(), 'bundle');
  execFileSync('umoci', ['unpack', '--image', `${await layout()}:x`, bundle], { stdio: 'pipe' });
  const path = (name: string) => join(bundle, 'rootfs/dir', name);
  expect(lstatSync(path('.')).mode & 0o7777).toBe(0o1777);
  expect(readFileSync(path('text')).equals(text)).toBe(true);
  expect(readFileSync(path('random')).equals(random)).toBe(true);
  const stat = lstatSync(path('hard'), { bigint: true });
  expect(stat).toMatchObject({ nlink: 2n, uid: 3_000_000n, mtimeNs: mtime });
  expect(lgetxattr(path('capable'), 'security.capability')).toEqual(capability);
  expect(readFileSync(path('n'.repeat(200)), 'utf8')).toBe('long');
  expect(readFileSync(path('größe'), 'utf8')).toBe('utf8');
  expect(
    readFileSync(Buffer.concat([Buffer.from(path('no-text-')), Buffer.of(0xff)]), 'utf8'),
  ).toBe('bytes');
  expect(readlinkSync(path('link'))).toBe('l'.repeat(120));
});
