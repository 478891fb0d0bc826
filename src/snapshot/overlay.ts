/**
 * Snapshots on overlayfs: the layers are its lower directories and all writes land in an upper one.
 * https://docs.kernel.org/filesystems/overlayfs.html
 */
import { mkdirSync, rmdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, TsbuildError } from '../errors.ts';
import { type Lstat, lstatMany } from '../host/lstat.ts';
import { readNames } from '../host/read-names.ts';
import { MS_NODEV, MS_RDONLY, mount } from '../host/syscalls.ts';
import { joinPath } from '../tree/file-tree.ts';
import { unmount } from './binds.ts';
import { readDiskNode } from './disk-node.ts';
import { isOpaque, isWhiteout } from './marks.ts';
import type { Change, Changes, Snapshot, Snapshotter } from './snapshotter.ts';
import { discard } from './trash.ts';

export interface OverlayOptions {
  /** On the disk of the layers, so that it is as large; holds the upper directories. */
  readonly directory: string;
  /** Where removed snapshots go, on the same disk. */
  readonly trash: string;
  /**
   * Where the snapshots are seen; each in its own directory otherwise. What is mounted there is so from the beginning as it
   * stays, for whoever sees it in another mount namespace gets no flags later.
   */
  readonly roots?: string | undefined;
  /** Keep overlay's marks in `user.*` xattrs: what a user namespace may write. */
  readonly userXattr: boolean;
}

/** What is read, hashed and written in a few milliseconds. */
const SMALL_FILES = 100;
const SMALL_BYTES = 1 << 20;

/** OVL_MAX_STACK of fs/overlayfs: the kernel takes no more lower directories. */
const MAX_LOWERS = 500;

export function createOverlaySnapshotter(options: OverlayOptions): Snapshotter {
  const overlays = createOverlayMounts(options);
  const remove = (snapshot: Snapshot): void => {
    unmount(snapshot.root);
    if (options.roots !== undefined) removeEmpty(snapshot.root);
    discard(snapshot.directory, options.trash);
  };
  const create = (key: string, mountAt: (snapshot: Snapshot) => void): Snapshot => {
    const directory = join(options.directory, key);
    const root = options.roots === undefined ? join(directory, 'root') : join(options.roots, key);
    const snapshot = { key, directory, root };
    mkdirSync(directory);
    mkdirSync(root);
    try {
      mountAt(snapshot);
      return snapshot;
    } catch (error) {
      remove(snapshot);
      throw error;
    }
  };
  return {
    remove,
    prepare: (key, lowers, { devices = false } = {}) =>
      create(key, (snapshot) => {
        for (const name of ['upper', 'work']) mkdirSync(join(snapshot.directory, name));
        overlays.mount(snapshot, withoutRepeats(lowers), devices ? 0 : MS_NODEV, true);
      }),
    view: (key, lowers) =>
      create(key, (snapshot) => {
        overlays.mount(snapshot, withoutRepeats(lowers), MS_NODEV | MS_RDONLY, false);
      }),
    changes: (snapshot) => listUpper(snapshot, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)!,
    smallChanges: (snapshot) => listUpper(snapshot, SMALL_FILES, SMALL_BYTES),
    take: (snapshot) => {
      unmount(snapshot.root);
      return join(snapshot.directory, 'upper');
    },
  };
}

/**
 * Images have the same layer twice, the empty one above all, and overlayfs refuses that (ELOOP). Only the uppermost
 * counts: whatever a lower one shows or hides, the upper one does too.
 */
function withoutRepeats(lowers: readonly string[]): string[] {
  return [...new Set(lowers.toReversed())].reverse();
}

/** Whether overlayfs works on this disk, in this namespace: the store may itself lie on an overlay. */
export function probeOverlay(options: OverlayOptions): Error | undefined {
  const directory = join(options.directory, '.probe');
  const lower = join(directory, 'lower');
  const snapshots = createOverlaySnapshotter({ ...options, directory });
  try {
    mkdirSync(lower, { recursive: true });
    snapshots.remove(snapshots.prepare('snapshot', [lower]));
    return undefined;
  } catch (error) {
    return error as Error;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Never with what is in it: that would be what is still mounted. */
function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/**
 * The options of mount(2) must fit into one page, and 60 paths of a store would fill it. So each lower directory gets
 * a short link, and the mount is made from the directory of the links.
 */
function createOverlayMounts(options: OverlayOptions) {
  const directory = join(options.directory, '.lowers');
  const links = new Map<string, string>();
  const link = (lower: string): string => {
    const known = links.get(lower);
    if (known !== undefined) return known;
    const name = links.size.toString(36);
    mkdirSync(directory, { recursive: true });
    symlinkSync(lower, join(directory, name));
    links.set(lower, name);
    return name;
  };
  const empty = (number: number): string => {
    const name = `empty-${number}`;
    mkdirSync(join(directory, name), { recursive: true });
    return name;
  };
  return {
    mount(snapshot: Snapshot, lowers: readonly string[], flags: number, writable: boolean): void {
      if (lowers.length > MAX_LOWERS) throw tooManyLayers(lowers.length);
      const names = lowers.map(link);
      // Overlayfs wants a lower directory, and without an upper one, two.
      while (names.length < (writable ? 1 : 2)) names.unshift(empty(names.length));
      const data = [
        `lowerdir=${names.reverse().join(':')}`,
        ...(writable ? [`upperdir=../${snapshot.key}/upper,workdir=../${snapshot.key}/work`] : []),
        // Each of these would mark files in ways that only this very stack of layers can read.
        ...(options.userXattr ? ['userxattr'] : ['index=off', 'redirect_dir=off', 'metacopy=off']),
        // No flush to disk at unmount: a snapshot is not kept.
        ...(writable ? ['volatile'] : []),
      ];
      const before = process.cwd();
      try {
        process.chdir(directory);
        mount('overlay', snapshot.root, 'overlay', flags, data.join(','));
      } catch (cause) {
        const what = `mount an overlay of ${lowers.length} layers`;
        throw new TsbuildError('EXECUTOR', `${what}: ${(cause as Error).message}`, { cause });
      } finally {
        process.chdir(before);
      }
    },
  };
}

function tooManyLayers(count: number): TsbuildError {
  return new TsbuildError(
    'UNSUPPORTED_HOST',
    `mount ${count} layers: overlayfs of Linux takes at most ${MAX_LOWERS}`,
    { hint: 'join instructions that change files, or flatten the base image' },
  );
}

/** What was written, if it is not more than that. */
function listUpper(snapshot: Snapshot, files: number, bytes: number): Changes | undefined {
  const upper = join(snapshot.directory, 'upper');
  const listing: Listing = { upper, lstat: lstatMany(), paths: [], files, bytes };
  return listDirectory(listing, '') ? { paths: listing.paths, complete: false } : undefined;
}

interface Listing {
  readonly upper: string;
  readonly lstat: Lstat;
  readonly paths: Change[];
  /** How much more may come. */
  files: number;
  bytes: number;
}

/** Whether it was listed to its end. */
function listDirectory(listing: Listing, directory: string): boolean {
  const { upper, lstat, paths } = listing;
  for (const name of readNames(`${upper}/${directory}`)) {
    const path = joinPath(directory, name);
    const file = `${upper}/${path}`;
    const node = readDiskNode(file, lstat);
    if (node === undefined) continue;
    listing.files -= 1;
    listing.bytes -= node.size;
    if (listing.files < 0 || listing.bytes < 0) return false;
    if (isWhiteout(node)) paths.push({ path, whiteout: true });
    else if (node.type !== 'directory') paths.push({ path, node });
    else {
      paths.push(isOpaque(file) ? { path, node, opaque: true } : { path, node });
      if (!listDirectory(listing, path)) return false;
    }
  }
  return true;
}
