/**
 * What a layer's tar is made of, piece by piece: headers as they are, and files whose bytes whoever writes the tar has yet
 * to fetch. The order and the bytes of a layer are decided here, once, for all who write one.
 */
import { TsbuildError } from '../errors.ts';
import { displayName } from '../host/path-bytes.ts';
import { END_OF_ARCHIVE, encodeHeader, headerEncoder } from '../tar/encode.ts';
import { padding, type TarHeader } from '../tar/entry.ts';
import type { Content, FileNode } from '../tree/file-tree.ts';
import { createEntrySet, type EntrySet } from './entry-set.ts';
import type { LayerEntry, LayerInput, LayerNode } from './layer.ts';
import { isReservedName, opaqueName, whiteoutName } from './whiteout.ts';

/** What one input adds to the tar: headers, and for a file its content, behind which zeros fill the block. */
export interface LaidInput {
  /** Lent until the next input is added. */
  readonly headers: Uint8Array;
  readonly file: LaidFile | undefined;
}

export interface LaidFile {
  readonly path: string;
  readonly content: Content;
  /** What the index will say. Whoever reads the content may add its sha256. */
  readonly node: LayerNode;
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

/** A layer's tar in the making. The inputs come in the order of the tar, a directory before what lies in it. */
export interface TarLayout {
  /** @throws TsbuildError `CONTEXT` for a name that layers reserve */
  add(input: LayerInput): LaidInput;
  /** When {@link END_OF_ARCHIVE} has been written behind the last input. */
  finish(): LaidOut;
}

interface Layout {
  readonly set: EntrySet;
  readonly tar: string;
  readonly latest: bigint | undefined;
  readonly encode: (header: TarHeader) => Buffer;
  /** Inode to the path that was written for it, and its node. */
  readonly links: Map<string, { readonly path: string; readonly node: LayerNode }>;
  position: number;
}

export function startLayout({ tar, sourceDateEpoch: epoch }: LayoutOptions): TarLayout {
  const layout: Layout = {
    set: createEntrySet(),
    tar,
    latest: latestTime(epoch),
    encode: headerEncoder(),
    links: new Map(),
    position: 0,
  };
  return {
    add: (input) => addInput(layout, input),
    finish: () => ({
      entries: layout.set.values(),
      size: layout.position + END_OF_ARCHIVE.length,
    }),
  };
}

function addInput(layout: Layout, input: LayerInput): LaidInput {
  const { path } = input;
  if (isReservedName(path)) throw reserved(path);
  if ('whiteout' in input) {
    layout.set.put(input);
    return headersOnly(layout, layout.encode({ ...MARK, name: whiteoutName(path) }));
  }
  const node = clampTime(input.node, layout.latest);
  const first = node.inode === undefined ? undefined : layout.links.get(node.inode);
  if (first !== undefined) {
    layout.set.put({ path, node: first.node });
    return headersOnly(layout, layout.encode(linkHeader(path, node, first.path)));
  }
  const headers = layout.encode(nodeHeader(path, node));
  if (node.type === 'file') return addFile(layout, path, node, headers);
  if (node.type !== 'directory') keepLink(layout, path, node);
  layout.set.put(input.opaque ? { path, node, opaque: true } : { path, node });
  if (!input.opaque) return headersOnly(layout, headers);
  const opaqueMark = encodeHeader({ ...MARK, name: opaqueName(path) });
  return headersOnly(layout, Buffer.concat([headers, opaqueMark]));
}

/** Deletion marks say nothing beyond their name. */
const MARK = { type: 'file', mode: 0, uid: 0, gid: 0, size: 0, mtime: 0n } as const;

function headersOnly(layout: Layout, headers: Uint8Array): LaidInput {
  layout.position += headers.length;
  return { headers, file: undefined };
}

/** A file that is no link to one before. */
function addFile(layout: Layout, path: string, source: FileNode, headers: Uint8Array): LaidInput {
  const { mode, uid, gid, size, mtime, xattrs, inode, sha256, content } = source;
  if (content === undefined) throw new TypeError(`file without content: ${path}`);
  const found = 'bytes' in content ? content.bytes.length : content.size;
  if (found !== size) throw new TypeError(`content is not of the node's size: ${path}`);
  const offset = layout.position + headers.length;
  const own = { file: layout.tar, offset, size };
  // Spelt out: spreading costs more than all else here, and every node gets the same shape.
  const node: LayerNode = {
    type: 'file',
    mode,
    uid,
    gid,
    size,
    mtime,
    xattrs,
    inode,
    sha256,
    content: own,
  };
  keepLink(layout, path, node);
  layout.set.put({ path, node });
  layout.position = offset + size + padding(size);
  return { headers, file: { path, content, node } };
}

function keepLink({ links }: Layout, path: string, node: LayerNode): void {
  if (node.inode !== undefined) links.set(node.inode, { path, node });
}

/** Whatever this says, or comes to depend on, is compared in compare-inputs.ts; and with other bytes, recipes are of another kind. */
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
  const mtime = clampedTime(node.mtime, latest);
  return mtime === node.mtime ? node : { ...node, mtime };
}

/** A time as layers have it. */
export function clampedTime(time: bigint, latest: bigint | undefined): bigint {
  return latest !== undefined && time > latest ? latest : time;
}

/** SOURCE_DATE_EPOCH in nanoseconds. */
export function latestTime(sourceDateEpoch: number | undefined): bigint | undefined {
  return sourceDateEpoch === undefined ? undefined : BigInt(sourceDateEpoch) * 1_000_000_000n;
}

function reserved(path: string): TsbuildError {
  return new TsbuildError(
    'CONTEXT',
    `add ${displayName(path)} to a layer: names that begin with .wh. mark deletions`,
    {
      hint: 'rename the file, or exclude it with .dockerignore',
    },
  );
}
