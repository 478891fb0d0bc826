/**
 * Writes a layer: tar and index in one pass over the input, every byte read once and hashed as it goes by. Synchronous,
 * for a worker thread: 20,000 small files are mostly system calls, and a promise for each would cost more than they do.
 */
import { hash } from 'node:crypto';
import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, isTsbuildError, TsbuildError } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import { displayName, fsPath } from '../host/path-bytes.ts';
import { type DiffID, digestFromHex } from '../oci/digest.ts';
import { END_OF_ARCHIVE, encodeHeader } from '../tar/encode.ts';
import type { TarHeader } from '../tar/entry.ts';
import type { Content, FileNode } from '../tree/file-tree.ts';
import { createEntrySet, type EntrySet } from './entry-set.ts';
import { encodeIndex } from './index-encode.ts';
import type { LayerInput, LayerNode, WrittenLayer } from './layer.ts';
import { openTarSink, type TarSink } from './tar-sink.ts';
import { isReservedName, opaqueName, whiteoutName } from './whiteout.ts';

export interface WriteOptions {
  /** A private directory, which gets `layer.tar` and `layer.index`. After an error it is the caller's to remove. */
  readonly directory: string;
  /** Seconds since 1970; later times become this. */
  readonly sourceDateEpoch?: number;
}

interface Writer {
  readonly sink: TarSink;
  readonly set: EntrySet;
  readonly tar: string;
  readonly latest: bigint | undefined;
  /** Inode to the path that was written for it, and its node. */
  readonly links: Map<string, { readonly path: string; readonly node: LayerNode }>;
  /** The file that was read last stays open: contents that lie in one tar come one after the other. */
  readonly source: { file: string; fd: number };
}

/**
 * Writes `inputs` in the order given; a directory must come before what lies in it. Equal inputs give equal bytes.
 * @throws TsbuildError `CONTEXT` for a file that cannot be read, changes meanwhile, or has a name that layers reserve;
 * `DISK_FULL`, `STORE`
 */
export function writeLayer(inputs: Iterable<LayerInput>, options: WriteOptions): WrittenLayer {
  const tar = join(options.directory, 'layer.tar');
  const index = join(options.directory, 'layer.index');
  const epoch = options.sourceDateEpoch;
  const writer: Writer = {
    sink: openTarSink(tar),
    set: createEntrySet(),
    tar,
    latest: epoch === undefined ? undefined : BigInt(epoch) * 1_000_000_000n,
    links: new Map(),
    source: { file: '', fd: -1 },
  };
  try {
    for (const input of inputs) writeInput(writer, input);
    writer.sink.put(END_OF_ARCHIVE);
    const size = writer.sink.position();
    const diffID = digestFromHex<DiffID>(writer.sink.finish());
    writeIndex(index, encodeIndex(writer.set.values(), size));
    return { diffID, size, tar, index };
  } finally {
    closeSource(writer);
    writer.sink.close();
  }
}

function writeIndex(file: string, bytes: Buffer): void {
  try {
    writeFileSync(file, bytes, { flag: 'wx' });
  } catch (error) {
    throw diskError(error, `write layer index ${file}`);
  }
}

function writeInput(writer: Writer, input: LayerInput): void {
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
    writer.set.put(input);
    writer.sink.put(encodeHeader({ ...MARK, name: whiteoutName(path) }));
    return;
  }
  writeNode(writer, path, input.node, input.opaque === true);
  if (input.opaque) writer.sink.put(encodeHeader({ ...MARK, name: opaqueName(path) }));
}

/** Deletion marks say nothing beyond their name. */
const MARK = { type: 'file', mode: 0, uid: 0, gid: 0, size: 0, mtime: 0n } as const;

function writeNode(writer: Writer, path: string, input: FileNode, isOpaque: boolean): void {
  const node = clampTime(input, writer.latest);
  const first = node.inode === undefined ? undefined : writer.links.get(node.inode);
  const written = first?.node ?? writeFirst(writer, path, node);
  if (first !== undefined) writer.sink.put(encodeHeader(linkHeader(path, node, first.path)));
  writer.set.put(isOpaque ? { path, node: written, opaque: true } : { path, node: written });
}

/** A node that is no link to one written before. */
function writeFirst(writer: Writer, path: string, node: FileNode): LayerNode {
  writer.sink.put(encodeHeader(nodeHeader(path, node)));
  const written = node.type === 'file' ? writeContent(writer, path, node) : node;
  if (node.inode !== undefined && node.type !== 'directory')
    writer.links.set(node.inode, { path, node: written });
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

function writeContent(writer: Writer, path: string, node: FileNode): LayerNode {
  const { content, size } = node;
  const offset = writer.sink.position();
  if (content === undefined) throw new TypeError(`file without content: ${path}`);
  const found = 'bytes' in content ? content.bytes.length : content.size;
  if (found !== size) throw new TypeError(`content is not of the node's size: ${path}`);
  const sha256 = putContent(writer, path, content, node.sha256);
  writer.sink.pad();
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
    content: { file: writer.tar, offset, size },
  };
}

/** Returns the content's sha256, `known` if that is there: it is not computed again. */
function putContent(
  writer: Writer,
  path: string,
  content: Content,
  known: string | undefined,
): string {
  if ('bytes' in content) {
    writer.sink.put(content.bytes);
    return known ?? hash('sha256', content.bytes, 'hex');
  }
  const { file, offset, size } = content;
  if (size === 0) return known ?? EMPTY_SHA256;
  try {
    // Content of a tar never begins at 0: what does is a file as a whole, and must end where its size says.
    const source = { fd: openSource(writer, file), offset, size, isWhole: offset === 0 };
    const found = writer.sink.copy(source, known === undefined);
    if (found === undefined) throw changed(path);
    return known ?? found;
  } catch (cause) {
    if (isTsbuildError(cause) || errnoOf(cause) === undefined) throw cause;
    throw new TsbuildError('CONTEXT', `read ${displayName(path)}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

const EMPTY_SHA256 = hash('sha256', '', 'hex');

/** What was a file when it was listed may have become a symlink to elsewhere, or a fifo that nobody writes to. */
const SAFE_READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

function openSource(writer: Writer, file: string): number {
  const { source } = writer;
  if (source.file === file && source.fd >= 0) return source.fd;
  closeSource(writer);
  source.fd = openSync(fsPath(file), SAFE_READ);
  source.file = file;
  return source.fd;
}

function closeSource(writer: Writer): void {
  if (writer.source.fd >= 0) closeSync(writer.source.fd);
  writer.source.fd = -1;
}

function changed(path: string): TsbuildError {
  return new TsbuildError(
    'CONTEXT',
    `read ${displayName(path)}: the file changed while it was read`,
    {
      hint: 'build again when nothing writes to it; exclude it with .dockerignore if it is a log or the like',
      retryable: true,
    },
  );
}
