/**
 * The mountable form of a layer: what overlayfs gets as a lower directory. Made when something must really be
 * mounted, once for each layer and store, and used by every process from then on. Two forms, the same to whoever
 * mounts them:
 *
 * - `erofs`: `layers/<diffID>.erofs`, a small image of names and attributes whose file contents lie in the layer's
 *   tar (erofs.ts). Nothing is unpacked; the executor mounts it in its own mount namespace, so it goes when that
 *   goes. As `erofs-loop`, the same over loop devices, for kernels before 6.12.
 * - `directory`: `layers/<diffID>/`, the tar unpacked (apply.ts). Works everywhere.
 *
 * All of this runs in the executor:
 *
 *     const options = { home, rootless, mounts };               // an empty directory, in this mount namespace
 *     const forms = probeForms(options);                         // once
 *     const { lower } = prepareMountable(layer, { ...options, forms }); // for each layer of a stack
 */
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import { hexOf } from '../oci/digest.ts';
import { openStore, type Store } from '../store/store.ts';
import { applyLayer } from './apply.ts';
import { imageOf, mountErofs } from './erofs-mount.ts';
import { readIndex } from './index-file.ts';
import type { Layer } from './layer.ts';

export type MountForm = 'erofs' | 'erofs-loop' | 'directory';

export interface Mountable {
  readonly form: MountForm;
  /** For the `lowerdir` option of overlayfs. */
  readonly lower: string;
}

export interface MountableOptions {
  /** The store's home. */
  readonly home: string;
  /** Forms that work here, best first: the answer of probeForms (probe-forms.ts). */
  readonly forms: readonly MountForm[];
  /** Whether the executor is in a user namespace: overlayfs is then mounted with `userxattr`. */
  readonly rootless: boolean;
  /** An existing directory for mounts, of this executor alone; needed for `erofs`. */
  readonly mounts?: string | undefined;
  /** See `StoreOptions`: what an executor's names for temporary files say of its pid means nothing outside. */
  readonly temp?: string | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/**
 * The layer as a directory to be mounted from. Idempotent, and safe against other processes doing the same.
 * @throws TsbuildError `ARCHIVE` if no filesystem can hold the layer, `DISK_FULL`, `UNSUPPORTED_HOST`, `STORE`
 */
export function prepareMountable(layer: Layer, options: MountableOptions): Mountable {
  const { forms, mounts, onWarning } = options;
  const form = forms.find((form) => form !== 'directory');
  if (form !== undefined && mounts !== undefined) {
    const backing = form === 'erofs' ? 'files' : 'loop';
    try {
      const store = openStore(options.home, options);
      return { form, lower: mountErofs(layer, { store, mounts, backing, temp: options.temp }) };
    } catch (error) {
      // A layer that EROFS alone cannot take, or no loop device left: the other form needs neither.
      if (!forms.includes('directory')) throw error;
      onWarning?.(`unpack layer ${layer.diffID}: ${(error as Error).message}`);
    }
  }
  return { form: 'directory', lower: prepareDirectory(layer, options) };
}

/** Whether preparing the layer takes no time to speak of: the form exists already, or there is little to be made. */
export function isQuicklyPrepared(layer: Layer, options: MountableOptions): boolean {
  const store = openStore(options.home, options);
  if (options.forms[0] === 'directory')
    return layer.size < SMALL_TAR || existsSync(directoryOf(layer, store, options));
  const index = statSync(layer.index, { throwIfNoEntry: false });
  return (index && index.size < SMALL_INDEX) || existsSync(imageOf(layer, store));
}

/** Bytes of a few files, or of one that can be copied in no time. */
const SMALL_TAR = 1 << 20;
/** Bytes for some 40,000 files, which EROFS names in a tenth of a second. */
const SMALL_INDEX = 4 << 20;

/**
 * Takes `directory`, on the store's disk, as the directory form of a layer. It must be what overlayfs itself has written
 * while the layer came to be, and nobody else's any more. Where the form exists, nothing changes.
 */
export function adoptDirectory(layer: Layer, directory: string, options: MountableOptions): void {
  const store = openStore(options.home, options);
  renameUnlessThere(directory, directoryOf(layer, store, options));
}

/** Without root, owners are mapped and whiteouts marked differently: such a directory is of no use to root, and back. */
function directoryOf(layer: Layer, store: Store, { rootless }: MountableOptions): string {
  return store.path('layers', hexOf(layer.diffID) + (rootless ? '.rootless' : ''));
}

function prepareDirectory(layer: Layer, options: MountableOptions): string {
  const store = openStore(options.home, options);
  const directory = directoryOf(layer, store, options);
  if (existsSync(directory)) return directory;
  const temp = store.tempDir();
  try {
    const unpacked = join(temp, 'layer');
    mkdirSync(unpacked);
    applyLayer(readIndex(layer), unpacked, options);
    renameUnlessThere(unpacked, directory);
    return directory;
  } catch (error) {
    throw diskError(error, `unpack layer ${layer.diffID}`);
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
}

/** The first process wins; what the others unpacked is the same. */
function renameUnlessThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    const code = errnoOf(error);
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}
