/** The EROFS form of a layer in the store: made once, mounted once in each executor. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { diskError } from '../host/disk-error.ts';
import { MS_RDONLY, mount } from '../host/syscalls.ts';
import { hexOf } from '../oci/digest.ts';
import type { Store } from '../store/store.ts';
import { erofsImage } from './erofs.ts';
import { isWhole } from './erofs-format.ts';
import { readIndex } from './index-file.ts';
import type { Layer } from './layer.ts';

/** Where the layer is mounted, below `mounts`; the mount is made unless it is there. @throws TsbuildError */
export function mountErofs(layer: Layer, mounts: string, store: Store): string {
  const target = join(mounts, hexOf(layer.diffID));
  if (existsSync(target)) return target;
  const image = prepareImage(layer, store);
  mkdirSync(target);
  try {
    mountImage(image, layer.tar, target);
  } catch (error) {
    // Its presence says that the layer is mounted.
    rmdirSync(target);
    throw diskError(error, `mount layer ${layer.diffID} as EROFS`, 'UNSUPPORTED_HOST');
  }
  return target;
}

/** File-backed: neither the image nor the tar needs a loop device, from Linux 6.12 on. */
export function mountImage(image: string, tar: string, target: string): void {
  mount(image, target, 'erofs', MS_RDONLY, `device=${tar}`);
}

function prepareImage(layer: Layer, store: Store): string {
  const file = store.path('layers', `${hexOf(layer.diffID)}.erofs`);
  if (isUsable(file)) return file;
  const tempDirectory = store.tempDir();
  try {
    writeFileAtomic(file, erofsImage(layer, readIndex(layer)), { tempDirectory });
    return file;
  } catch (error) {
    throw diskError(error, `write ${file}`);
  } finally {
    rmSync(tempDirectory, { recursive: true, force: true });
  }
}

/**
 * Whether the image is there and whole: after a crash of the machine it may have lost its end. Reading all of it also brings it
 * into the page cache, from where the kernel takes it. On kernels with ext4's debugging, metadata that a file-backed EROFS reads
 * from the disk itself logs one harmless warning per boot.
 */
function isUsable(file: string): boolean {
  try {
    return isWhole(readFileSync(file));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
