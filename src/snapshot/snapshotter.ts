/**
 * A snapshot is a root filesystem made of layers, bottom first, that one container uses. A snapshotter makes it, says
 * afterwards what the container changed, and takes it away:
 *
 *     const snapshot = snapshots.prepare('run-1', ['/…/base', '/…/app']);
 *     …run something in snapshot.root…
 *     const layer = diff(snapshots.changes(snapshot), parent);
 *     snapshots.remove(snapshot);
 *
 * Layers come as a snapshotter wants them: as directories in overlay's own language (0:0 devices for deletions, the
 * xattr `overlay.opaque`), or by any name that it can make files of. They are never written to. `prepare` gives a
 * writable snapshot, `view` one whose layers are only looked at. How the writes are kept apart is the snapshotter's
 * secret: overlay.ts uses the kernel's overlayfs, copy.ts copies everything. Both are held to one suite,
 * test/contract/snapshotter.ts.
 *
 * A snapshot is plain data, so another thread can be asked for its changes. All calls are synchronous; mounts belong
 * to the mount namespace of the process, and vanish with it.
 */
import type { FileNode } from '../tree/file-tree.ts';

export interface Snapshot {
  /** Unique among the live snapshots of one snapshotter. */
  readonly key: string;
  /** Where the files are seen. */
  readonly root: string;
  /** Where the snapshotter keeps what it needs; nobody else looks inside. */
  readonly directory: string;
}

/**
 * What became of one path. `opaque` on a directory: whatever its parent layers hold below it is gone, save for the
 * changes that follow. `untouched`: it is as it was, for sure.
 */
export type Change =
  | {
      readonly path: string;
      readonly node: FileNode;
      readonly opaque?: boolean;
      readonly untouched?: boolean;
    }
  | { readonly path: string; readonly whiteout: true };

export interface Changes {
  /** Each directory before what lies in it, names sorted by code unit, no path twice. */
  readonly paths: readonly Change[];
  /** These are all the paths that there are now: what else the parent layers hold is gone. */
  readonly complete: boolean;
}

export interface SnapshotOptions {
  /** Device nodes in the snapshot can be opened. Otherwise they are files like others, and open nothing. */
  readonly devices?: boolean;
}

export interface Snapshotter {
  /** A writable root over `lowers`, bottom first; an empty one without any. */
  prepare(key: string, lowers: readonly string[], options?: SnapshotOptions): Snapshot;
  /** A root of `lowers` that cannot be written to. */
  view(key: string, lowers: readonly string[]): Snapshot;
  /**
   * What was written since `prepare`, and perhaps some of what was not. Contents point into the snapshot, so they
   * last until `remove`.
   */
  changes(snapshot: Snapshot): Changes;
  /** {@link changes} if they are few and small, so that a layer of them takes no time to speak of. */
  smallChanges(snapshot: Snapshot): Changes | undefined;
  /**
   * Where what was written lies as a directory in overlay's language, if it does. The snapshot is unmounted: its changes can
   * still be looked at, until the directory is moved away; then only `remove` is left to be called.
   */
  take(snapshot: Snapshot): string | undefined;
  /** Unmounts and forgets. Returns at once; freeing the disk space may take longer, see trash.ts. Idempotent. */
  remove(snapshot: Snapshot): void;
}
