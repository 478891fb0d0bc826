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
export type LayerNode = FileNode & { readonly sha256?: string };

/** What a layer says about one path: it is there, or it is deleted; an opaque directory hides what lies below it. */
export type LayerEntry =
  | { readonly path: string; readonly node: LayerNode; readonly opaque?: boolean }
  | { readonly path: string; readonly whiteout: true };

/** The parsed index: what the layer's tar says, in the order of the tar, later entries of the same path having won. */
export interface LayerIndex {
  readonly entries: ReadonlyMap<string, LayerEntry>;
}

/** One path to be written into a new layer, in the order given; a directory before what lies in it. */
export type LayerInput =
  | { readonly path: string; readonly node: FileNode; readonly opaque?: boolean }
  | { readonly path: string; readonly whiteout: true };
