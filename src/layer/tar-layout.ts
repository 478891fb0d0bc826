/**
 * What a layer's tar is made of, piece by piece: headers as they are, and files whose bytes whoever writes the tar has yet
 * to fetch. The order and the bytes of a layer are decided here, once, for all who write one.
 */
import { TsbuildError } from '../errors.ts';
import { displayName } from '../host/path-bytes.ts';
import { END_OF_ARCHIVE, encodeHeader } from '../tar/encode.ts';
import { padding, type TarHeader } from '../tar/entry.ts';
import type { Content, FileNode } from '../tree/file-tree.ts';
import { createEntrySet, type EntrySet } from './entry-set.ts';
import type { LayerEntry, LayerInput, LayerNode } from './layer.ts';
import { isReservedName, opaqueName, whiteoutName } from './whiteout.ts';

/** A header, or the content of a file, behind which zeros fill the block. */
export type TarPiece = Uint8Array | FileContent;

export interface FileContent {
  readonly path: string;
  readonly content: Content;
  /** In hex, where it is known. */
  readonly sha256: string | undefined;
}

export interface LaidOut {
  readonly entries: Iterable<LayerEntry>;
  /** Bytes of the tar. */
  readonly size: number;
}

export interface LayoutOptions {
  /** The file that will be the tar. */
  readonly tar: string;
  /** Seconds since 1970; later times become this. */
  readonly sourceDateEpoch?: number | undefined;
}

interface Layout {
  readonly set: EntrySet;
  readonly tar: string;
  readonly latest: bigint | undefined;
  /** Inode to the path that was written for it, and its node. */
  readonly links: Map<string, { readonly path: string; readonly node: LayerNode }>;
  position: number;
}

type Pieces<T> = Generator<TarPiece, T, string | undefined>;

/**
 * Lays out `inputs` in the order given; a directory must come before what lies in it. The answer to a file's content is its
 * sha256, if it is known by now. @throws TsbuildError `CONTEXT` for a name that layers reserve
 */
export function* layOut(inputs: Iterable<LayerInput>, options: LayoutOptions): Pieces<LaidOut> {
  const { tar, sourceDateEpoch: epoch } = options;
  const layout: Layout = {
    set: createEntrySet(),
    tar,
    latest: epoch === undefined ? undefined : BigInt(epoch) * 1_000_000_000n,
    links: new Map(),
    position: 0,
  };
  for (const input of inputs) yield* layOutInput(layout, input);
  yield* bytes(layout, END_OF_ARCHIVE);
  return { entries: layout.set.values(), size: layout.position };
}

function* bytes(layout: Layout, piece: Uint8Array): Pieces<void> {
  layout.position += piece.length;
  yield piece;
}

function* layOutInput(layout: Layout, input: LayerInput): Pieces<void> {
  const { path } = input;
  if (isReservedName(path)) {
    throw new TsbuildError(
      'CONTEXT',
      `add ${displayName(path)} to a layer: names that begin with .wh. mark deletions`,
      {
        hint: 'rename the file, or exclude it with .dockerignore',
      },
    );
  }
  if ('whiteout' in input) {
    layout.set.put(input);
    yield* bytes(layout, encodeHeader({ ...MARK, name: whiteoutName(path) }));
    return;
  }
  const node = clampTime(input.node, layout.latest);
  const first = node.inode === undefined ? undefined : layout.links.get(node.inode);
  if (first !== undefined) yield* bytes(layout, encodeHeader(linkHeader(path, node, first.path)));
  const written = first?.node ?? (yield* layOutFirst(layout, path, node));
  layout.set.put(input.opaque ? { path, node: written, opaque: true } : { path, node: written });
  if (input.opaque) yield* bytes(layout, encodeHeader({ ...MARK, name: opaqueName(path) }));
}

/** Deletion marks say nothing beyond their name. */
const MARK = { type: 'file', mode: 0, uid: 0, gid: 0, size: 0, mtime: 0n } as const;

/** A node that is no link to one before. */
function* layOutFirst(layout: Layout, path: string, node: FileNode): Pieces<LayerNode> {
  yield* bytes(layout, encodeHeader(nodeHeader(path, node)));
  const written = node.type === 'file' ? yield* layOutContent(layout, path, node) : node;
  if (node.inode !== undefined && node.type !== 'directory')
    layout.links.set(node.inode, { path, node: written });
  return written;
}

function nodeHeader(path: string, node: FileNode): TarHeader {
  const { type, mode, uid, gid, size, mtime, device, xattrs, linkTarget } = node;
  const name = type === 'directory' ? `${path === '' ? '.' : path}/` : path;
  return { name, type, mode, uid, gid, size, mtime, device, xattrs, linkName: linkTarget };
}

function linkHeader(
  path: string,
  { mode, uid, gid, mtime }: FileNode,
  linkName: string,
): TarHeader {
  return { name: path, type: 'link', mode, uid, gid, size: 0, mtime, linkName };
}

function clampTime(node: FileNode, latest: bigint | undefined): FileNode {
  return latest !== undefined && node.mtime > latest ? { ...node, mtime: latest } : node;
}

function* layOutContent(layout: Layout, path: string, node: FileNode): Pieces<LayerNode> {
  const { content, size } = node;
  const offset = layout.position;
  if (content === undefined) throw new TypeError(`file without content: ${path}`);
  const found = 'bytes' in content ? content.bytes.length : content.size;
  if (found !== size) throw new TypeError(`content is not of the node's size: ${path}`);
  layout.position += size + padding(size);
  const sha256 = yield { path, content, sha256: node.sha256 };
  const { mode, uid, gid, mtime, xattrs, inode } = node;
  // Spelt out: spreading costs more than all else here, and every node gets the same shape.
  return {
    type: 'file',
    mode,
    uid,
    gid,
    size,
    mtime,
    xattrs,
    inode,
    sha256,
    content: { file: layout.tar, offset, size },
  };
}
