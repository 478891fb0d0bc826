/**
 * Snapshots without overlayfs, for a disk or a kernel that cannot do it: all files of all layers are copied for each
 * snapshot. What a container left alone is told by the time of the last change to an inode, which no program can set.
 */
import { lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Lstat, lstatMany } from '../host/lstat.ts';
import { fsPath } from '../host/path-bytes.ts';
import { readNames } from '../host/read-names.ts';
import { MS_NODEV, MS_RDONLY } from '../host/syscalls.ts';
import { joinPath } from '../tree/file-tree.ts';
import { bind, unmount } from './binds.ts';
import { readDiskNode } from './disk-node.ts';
import type { Change, Snapshot, Snapshotter } from './snapshotter.ts';
import { discard } from './trash.ts';

export interface CopyOptions {
  readonly directory: string;
  /** Where removed snapshots go, on the same disk. */
  readonly trash: string;
  /** Writes the files of the layers that `lowers` name into an empty directory. */
  readonly fill: (root: string, lowers: readonly string[]) => void;
}

export function createCopySnapshotter(options: CopyOptions): Snapshotter {
  const create = (key: string, lowers: readonly string[], flags: number): Snapshot => {
    const directory = join(options.directory, key);
    const snapshot = { key, directory, root: join(directory, 'root') };
    mkdirSync(snapshot.root, { recursive: true });
    options.fill(snapshot.root, lowers);
    stamp(snapshot);
    bind(snapshot.root, snapshot.root, flags);
    return snapshot;
  };
  return {
    prepare: (key, lowers, { devices = false } = {}) => create(key, lowers, devices ? 0 : MS_NODEV),
    view: (key, lowers) => create(key, lowers, MS_NODEV | MS_RDONLY),
    changes: (snapshot) => {
      const since = changedAt(stampOf(snapshot));
      return {
        paths: listAll({ root: snapshot.root, since, lstat: lstatMany(), found: [] }, '', true),
        complete: true,
      };
    },
    smallChanges: () => undefined,
    take: () => undefined,
    remove: (snapshot) => {
      unmount(snapshot.root);
      discard(snapshot.directory, options.trash);
    },
  };
}

/** A file made when all was copied: what changed later was changed by the container. */
function stampOf(snapshot: Snapshot): string {
  return join(snapshot.directory, 'copied');
}

/** Files have the time of the kernel's last tick, so the next one is waited for: some milliseconds. */
function stamp(snapshot: Snapshot): void {
  writeFileSync(stampOf(snapshot), '');
  const since = changedAt(stampOf(snapshot));
  const later = join(snapshot.directory, 'later');
  do writeFileSync(later, '');
  while (changedAt(later) <= since);
}

interface Listing {
  readonly root: string;
  readonly since: bigint;
  readonly lstat: Lstat;
  readonly found: Change[];
}

/** `inPlace`: the directory itself was neither renamed nor changed, so what lies in it is where it was. */
function listAll(listing: Listing, directory: string, inPlace: boolean): Change[] {
  const { root, since, lstat, found } = listing;
  for (const name of readNames(`${root}/${directory}`)) {
    const path = joinPath(directory, name);
    const file = `${root}/${path}`;
    const node = readDiskNode(file, lstat);
    if (node === undefined) continue;
    const untouched = inPlace && changedAt(file) <= since;
    found.push(untouched ? { path, node, untouched } : { path, node });
    if (node.type === 'directory') listAll(listing, path, untouched);
  }
  return found;
}

function changedAt(file: string): bigint {
  return lstatSync(fsPath(file), { bigint: true }).ctimeNs;
}
