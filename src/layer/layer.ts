/**
 * A layer is one uncompressed tar, stored once, named by its diffID, with an index beside it. The tar is the
 * filesystem: reading an image's files means reading indexes and ranges of tars. Nothing is unpacked to answer a
 * question, to `COPY --from`, to look up a user, to resolve a symlink, or to push. What must be mounted gets a mountable
 * form (mountable.ts), made when it is first needed.
 *
 * Life of a layer: written (write.ts, from a list of entries; diff.ts, from what a RUN changed) or received (receive.ts,
 * from a compressed blob) into the store's tmp/, hashed in the same pass, and renamed to its name. From then on it never
 * changes. Its index can be made again from the tar at any time (scan.ts).
 */
import type { DiffID } from '../oci/digest.ts';
import type { FileNode } from '../tree/file-tree.ts';

/** Plain data: can be sent to workers and to the executor. */
export interface Layer {
  readonly diffID: DiffID;
  /** Bytes of the tar. */
  readonly size: number;
  /** Path of the tar on this host. */
  readonly tar: string;
  /** Path of its index file on this host. */
  readonly index: string;
}

/**
 * One path of a layer. `content` of a file points into the layer's tar (`file` is the tar's path). A hard link has the
 * full node of its target, and shares its `inode`.
 */
export type LayerNode = FileNode;

/** What a layer says about one path: it is there, or it is deleted; an opaque directory hides what lies below it. */
export type LayerEntry =
  | {
      readonly path: string;
      readonly node: LayerNode;
      readonly opaque?: boolean;
      /** The tar only marks it as opaque: see {@link LayerView.isImplicit}. */
      readonly implicit?: boolean;
    }
  | { readonly path: string; readonly whiteout: true };

/** The parsed index: what the layer's tar says, in the order of the tar, later entries of the same path having won. */
export interface LayerIndex {
  readonly entries: ReadonlyMap<string, LayerEntry>;
}

/**
 * An index as its file has it: a tree of records, each known by a number, of which nothing is parsed before it is asked
 * for. Record 0 is the root. A builder reads few paths of many layers, so this, not the map, is the quick way.
 */
export interface LayerView extends LayerIndex {
  /** The record of one name in a directory, or -1. Whiteouts are found too. */
  child(directory: number, name: string): number;
  /** Records of all names in a directory, whiteouts too: from `start` on, before `end`, sorted by code unit. */
  children(directory: number): { readonly start: number; readonly end: number };
  nameOf(record: number): string;
  kindOf(record: number): 'directory' | 'other' | 'whiteout';
  /**
   * A directory that the tar says nothing of, but that its paths lie in. It has the attributes of the directory below it,
   * as containerd sees it; its node, for when there is none below, is that of a plain directory, 0755, of root.
   */
  isImplicit(record: number): boolean;
  /** Paths of these but for the root, or of whiteouts: found without looking at others, since most layers have few. */
  pathsOf(kind: 'implicit' | 'whiteout'): readonly string[];
  isOpaque(record: number): boolean;
  /** @throws TypeError for a whiteout, which has no node. */
  nodeOf(record: number): LayerNode;
}

/** What a layer just written is: its files, and their names once it is adopted by a store. */
export interface WrittenLayer {
  readonly diffID: DiffID;
  readonly size: number;
  readonly tar: string;
  readonly index: string;
}

/** One path to be written into a new layer, in the order given; a directory before what lies in it. */
export type LayerInput =
  | { readonly path: string; readonly node: FileNode; readonly opaque?: boolean }
  | { readonly path: string; readonly whiteout: true };
