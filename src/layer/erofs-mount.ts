/** The EROFS form of a layer: mounted once in each executor; made once and kept in the store, if that takes any time. */
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { diskError } from '../host/disk-error.ts';
import { withLoopDevices } from '../host/loop-device.ts';
import { MS_RDONLY, mount } from '../host/syscalls.ts';
import { hexOf } from '../oci/digest.ts';
import type { Store } from '../store/store.ts';
import { erofsImage } from './erofs.ts';
import { isWhole } from './erofs-format.ts';
import { readColumns } from './index-file.ts';
import type { Layer } from './layer.ts';

/**
 * What the kernel mounts: the files themselves, from Linux 6.12 on, or loop devices of them, from 6.4 on. Files are
 * stacked on the store's filesystem, and devices are not, which matters where that is an overlay.
 */
export type ErofsBacking = 'files' | 'loop';

export interface ErofsOptions {
  readonly store: Store;
  /** Existing; each layer is mounted in a directory below. */
  readonly mounts: string;
  readonly backing: ErofsBacking;
  /** For images in the making, and those that are not worth keeping: this executor's own, on the disk of the store. */
  readonly temp?: string | undefined;
}

/** Where the layer is mounted; the mount is made unless it is there. @throws TsbuildError */
export function mountErofs(layer: Layer, { store, mounts, backing, temp }: ErofsOptions): string {
  const name = hexOf(layer.diffID);
  const target = join(mounts, name);
  if (existsSync(target)) return target;
  const image =
    temp !== undefined && layer.size < SMALL
      ? makeImage(layer, join(temp, `${name}.erofs`))
      : prepareImage(layer, store, temp);
  mkdirSync(target);
  try {
    mountImage({ image, tar: layer.tar, target, backing });
  } catch (error) {
    // Its presence says that the layer is mounted.
    rmdirSync(target);
    throw diskError(error, `mount layer ${layer.diffID} as EROFS`, 'UNSUPPORTED_HOST');
  }
  return target;
}

export function mountImage(mounted: {
  readonly image: string;
  readonly tar: string;
  readonly target: string;
  readonly backing: ErofsBacking;
}): void {
  const mountFrom = ([image, tar]: readonly string[]) => {
    mount(image!, mounted.target, 'erofs', MS_RDONLY, `device=${tar}`);
  };
  const files = [mounted.image, mounted.tar];
  if (mounted.backing === 'files') mountFrom(files);
  else withLoopDevices(files, mountFrom);
}

/** Where the image of a layer is or would be. */
export function imageOf(layer: Layer, store: Store): string {
  return store.path('layers', `${hexOf(layer.diffID)}.erofs`);
}

/** Bytes of a layer, of a hundred files at most, whose image is made in less time than a file takes to be kept. */
const SMALL = 1 << 16;

function makeImage(layer: Layer, file: string): string {
  try {
    writeFileSync(file, erofsImage(layer, readColumns(layer)));
    return file;
  } catch (error) {
    throw diskError(error, `write ${file}`);
  }
}

function prepareImage(layer: Layer, store: Store, temp: string | undefined): string {
  const file = imageOf(layer, store);
  if (isUsable(file)) return file;
  const tempDirectory = temp ?? store.tempDir();
  try {
    writeFileAtomic(file, erofsImage(layer, readColumns(layer)), { tempDirectory });
    return file;
  } catch (error) {
    throw diskError(error, `write ${file}`);
  } finally {
    if (temp === undefined) rmSync(tempDirectory, { recursive: true, force: true });
  }
}

/**
 * Whether the image is there and whole: after a crash of the machine it may have lost its end. Reading all of it
 * also brings it into the page cache, from where the kernel takes it. On kernels with ext4's debugging, metadata
 * that a file-backed EROFS reads from the disk itself logs one harmless warning per boot.
 */
function isUsable(file: string): boolean {
  const fd = openIfThere(file);
  if (fd === undefined) return false;
  try {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    const start = piece.subarray(0, readSync(fd, piece));
    if (!isWhole(start, fstatSync(fd).size)) return false;
    while (readSync(fd, piece) > 0);
    return true;
  } finally {
    closeSync(fd);
  }
}

const PIECE_BYTES = 1 << 16;

function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
