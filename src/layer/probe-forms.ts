/** Which mountable forms work on this host, found by making and mounting a layer of one file. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MNT_DETACH, MS_RDONLY, mount, umount } from '../host/syscalls.ts';
import { type DiffID, digestOf } from '../oci/digest.ts';
import { openStore, type Store } from '../store/store.ts';
import type { Columns } from './columns.ts';
import { erofsImage } from './erofs.ts';
import { BLOCK_SIZE } from './erofs-format.ts';
import { type ErofsBacking, mountImage } from './erofs-mount.ts';
import { columnsOf } from './index-file.ts';
import type { Layer } from './layer.ts';
import type { MountableOptions, MountForm } from './mountable.ts';

/**
 * The forms for {@link MountableOptions}, best first. Takes some milliseconds; ask once for each executor. What
 * works depends on more than the kernel's version: privileges, its configuration, and the filesystem that the store
 * lies on.
 */
export function probeForms(options: Omit<MountableOptions, 'forms'>): readonly MountForm[] {
  const { mounts, rootless } = options;
  if (rootless || mounts === undefined) return ['directory'];
  const store = openStore(options.home, options);
  if (canMountErofs('files', mounts, store)) return ['erofs', 'directory'];
  if (canMountErofs('loop', mounts, store)) return ['erofs-loop', 'directory'];
  return ['directory'];
}

/**
 * Mounts an overlay as well: the kernel allows two filesystems to be stacked on another, and an EROFS in a store
 * that lies on an overlay is the second already.
 */
function canMountErofs(backing: ErofsBacking, mounts: string, store: Store): boolean {
  const directory = store.tempDir();
  const [target, merged] = [join(mounts, 'probe-erofs'), join(mounts, 'probe-merged')];
  const mounted: string[] = [];
  try {
    const { layer, columns } = probeLayer(directory);
    const image = join(directory, 'image');
    writeFileSync(image, erofsImage(layer, columns));
    for (const path of [target, merged]) mkdirSync(path, { recursive: true });
    mountImage({ image, tar: layer.tar, target, backing });
    mounted.push(target);
    mount('overlay', merged, 'overlay', MS_RDONLY, `lowerdir=${target}:${directory}`);
    mounted.push(merged);
    return readFileSync(join(merged, CONTENT), 'utf8') === CONTENT;
  } catch {
    // Whatever the reason, and there are many: the directory form is for that.
    return false;
  } finally {
    for (const path of mounted.reverse()) umount(path, MNT_DETACH);
    for (const path of [target, merged, directory]) rmSync(path, { recursive: true, force: true });
  }
}

const CONTENT = 'probe';

function probeLayer(directory: string): { layer: Layer; columns: Columns } {
  const tar = join(directory, 'tar');
  // A block in place of the header.
  const bytes = Buffer.concat([Buffer.alloc(BLOCK_SIZE), Buffer.alloc(BLOCK_SIZE, `${CONTENT}\0`)]);
  writeFileSync(tar, bytes);
  const size = CONTENT.length;
  const content = { file: tar, offset: BLOCK_SIZE, size };
  const node = { type: 'file', mode: 0o644, uid: 0, gid: 0, size, mtime: 0n, content } as const;
  const layer = { diffID: digestOf<DiffID>(bytes), size: bytes.length, tar, index: '' };
  return { layer, columns: columnsOf([{ path: CONTENT, node }], layer) };
}
