/**
 * Writes a layer: tar and index in one pass over the input, every byte read once and hashed as it goes by. Synchronous,
 * for a worker thread: 20,000 small files are mostly system calls, and a promise for each would cost more than they do.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, isTsbuildError, TsbuildError } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import { displayName, fsPath } from '../host/path-bytes.ts';
import { type DiffID, digestFromHex } from '../oci/digest.ts';
import { END_OF_ARCHIVE, encodeHeader } from '../tar/encode.ts';
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
  if (first !== undefined) {
    writer.sink.put(
      encodeHeader({
        ...first.node,
        name: path,
        type: 'link',
        size: 0,
        linkName: first.path,
        xattrs: undefined,
      }),
    );
    writer.set.put({ path, node: first.node });
    return;
  }
  const name = node.type === 'directory' ? `${path === '' ? '.' : path}/` : path;
  writer.sink.put(encodeHeader({ ...node, name, linkName: node.linkTarget }));
  const written = node.type === 'file' ? writeContent(writer, path, node) : node;
  if (node.inode !== undefined && node.type !== 'directory')
    writer.links.set(node.inode, { path, node: written });
  writer.set.put(isOpaque ? { path, node: written, opaque: true } : { path, node: written });
}

function clampTime(node: FileNode, latest: bigint | undefined): FileNode {
  return latest !== undefined && node.mtime > latest ? { ...node, mtime: latest } : node;
}

function writeContent(writer: Writer, path: string, node: FileNode): LayerNode {
  const { sink } = writer;
  const { content, size } = node;
  const offset = sink.position();
  const hash = node.sha256 === undefined ? createHash('sha256') : undefined;
  if (content === undefined) throw new TypeError(`file without content: ${path}`);
  if ('bytes' in content) {
    if (content.bytes.length !== size)
      throw new TypeError(`content is not of the node's size: ${path}`);
    hash?.update(content.bytes);
    sink.put(content.bytes);
  } else if (size > 0) {
    const copied = copyContent(writer, path, content, size, hash);
    if (copied !== size) throw changed(path);
  }
  sink.pad();
  const sha256 = node.sha256 ?? hash!.digest('hex');
  return { ...node, sha256, content: { file: writer.tar, offset, size } };
}

function copyContent(
  writer: Writer,
  path: string,
  content: Extract<Content, { file: string }>,
  size: number,
  hash: ReturnType<typeof createHash> | undefined,
): number {
  if (content.size !== size) throw new TypeError(`content is not of the node's size: ${path}`);
  try {
    const fd = openSource(writer, content.file);
    // Content of a tar never begins at 0: what does is a file as a whole, and must end where its size says.
    return writer.sink.copy(fd, content.offset, size, content.offset === 0, hash);
  } catch (cause) {
    if (isTsbuildError(cause) || errnoOf(cause) === undefined) throw cause;
    throw new TsbuildError('CONTEXT', `read ${displayName(path)}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

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
