/** Removes content that nothing needs. Who calls it holds the store for itself (lease.ts) and knows what is needed. */
import fs from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import { type DiffID, type Digest, digestFromHex } from '../oci/digest.ts';
import type { Store } from './store.ts';
import { staleTemp } from './temp.ts';

export interface LiveContent {
  readonly blobs: ReadonlySet<Digest>;
  /** Whose indexes and mountable forms stay. */
  readonly layers: ReadonlySet<DiffID>;
}

export interface SweepOptions {
  /** Milliseconds since 1970: what was written later stays. */
  readonly before?: number;
  /** Further files and directories of the store that nobody needs. */
  readonly needless?: Iterable<string>;
  /**
   * Removes a directory with all that is in it. Files of a rootless container belong to ids that only its user namespace
   * can act for, so there the caller has to have this done inside.
   */
  readonly removeTree?: (directory: string) => Promise<void>;
}

export interface Swept {
  /** Bytes that were freed. */
  readonly reclaimed: number;
  readonly blobs: readonly Digest[];
  /** What could not be removed, and why. */
  readonly left: readonly { readonly path: string; readonly error: unknown }[];
}

/** A file or directory of the store that belongs to a blob or a layer. */
export interface StoredFile {
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
}

/** @throws TsbuildError `STORE` if the store cannot be listed */
export async function sweep(
  store: Store,
  live: LiveContent,
  options: SweepOptions = {},
): Promise<Swept> {
  const blobs = blobFiles(store).filter(({ digest }) => !live.blobs.has(digest));
  const forms = layerFiles(store).filter(({ digest }) => !live.layers.has(digest as DiffID));
  const temp = staleTemp(store.path('tmp'));
  const removed: Digest[] = [];
  const left: { path: string; error: unknown }[] = [];
  let reclaimed = 0;
  const take = async (file: string, size: number): Promise<boolean> => {
    if (options.before !== undefined && modified(file) > options.before) return false;
    try {
      await remove(file, options.removeTree);
      reclaimed += size;
      return true;
    } catch (error) {
      left.push({ path: file, error });
      return false;
    }
  };
  // A tar without its index gets a new one, an index without its tar is only found here: so the tar goes last.
  for (const { path, size } of forms) await take(path, size);
  for (const { path, size, digest } of blobs) if (await take(path, size)) removed.push(digest);
  for (const file of [...temp, ...(options.needless ?? [])]) await take(file, treeSize(file));
  return { reclaimed, blobs: removed, left };
}

/** Every blob. Files with other names, which other tools may be writing, are not ours. */
export function blobFiles(store: Store): readonly StoredFile[] {
  return digestNames(path.join(store.content, 'blobs/sha256'), /^([0-9a-f]{64})$/);
}

/** Indexes, notes and mountable forms of layers: `<diffID>`, or `<diffID>.` and more. */
export function layerFiles(store: Store): readonly StoredFile[] {
  return digestNames(store.path('layers'), /^([0-9a-f]{64})(?:\.|$)/);
}

function digestNames(directory: string, pattern: RegExp): readonly StoredFile[] {
  return listNames(directory).flatMap((name) => {
    const hex = pattern.exec(name)?.[1];
    const file = path.join(directory, name);
    return hex === undefined
      ? []
      : [{ path: file, digest: digestFromHex(hex), size: treeSize(file) }];
  });
}

/** Bytes of a file, or of all files in a directory; what cannot be read, or has gone meanwhile, counts for nothing. */
export function treeSize(file: string): number {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat?.size ?? 0;
  try {
    return fs.readdirSync(file).reduce((sum, name) => sum + treeSize(path.join(file, name)), 0);
  } catch {
    return 0;
  }
}

function modified(file: string): number {
  return fs.lstatSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

async function remove(file: string, removeTree: SweepOptions['removeTree']): Promise<void> {
  const isDirectory = fs.lstatSync(file, { throwIfNoEntry: false })?.isDirectory();
  if (isDirectory && removeTree) await removeTree(file);
  else fs.rmSync(file, { recursive: true, force: true });
}

function listNames(directory: string): readonly string[] {
  try {
    return fs.readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw diskError(error, `list ${directory}`);
  }
}
