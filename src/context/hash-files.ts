/** The sha256 of files' contents, all at once: known ones from the node or the stat cache, the others by reading them. */
import { createHash, hash } from 'node:crypto';
import fs from 'node:fs';
import { errnoOf, isTsbuildError, TsbuildError } from '../errors.ts';
import { displayName, fsPath } from '../host/path-bytes.ts';
import { SAFE_READ } from '../host/safe-read.ts';
import type { Workers } from '../host/workers.ts';
import type { FileNode, FileRange } from '../tree/file-tree.ts';
import { isHostNode } from './directory.ts';
import type { StatCache } from './stat-cache.ts';

export interface HashOptions {
  readonly cache?: StatCache;
  /** For big batches; without them all reading is done here. */
  readonly workers?: Workers;
  readonly signal?: AbortSignal;
}

/** The task by which workers hash: a list of ranges in, their sha256 in hex out, in the same order. */
export const HASH_TASK = 'context.hash';

/** Less is done before a worker has started. */
const MIN_BATCH_BYTES = 16 * 1024 * 1024;
const MIN_BATCH_FILES = 1000;
/** What opening and closing a file costs, as bytes that could be hashed meanwhile. */
const FILE_COST = 16 * 1024;
/** Batches are small enough that two workers end at about the same time. */
const BATCH_COST = 32 * 1024 * 1024;
const BUFFER_BYTES = 1024 * 1024;

/**
 * Sees to it that each file node knows its sha256: {@link FileNode.sha256}.
 * @throws TsbuildError `CONTEXT` naming a file that cannot be read or is shorter than its node says.
 */
export async function hashFiles(
  nodes: readonly FileNode[],
  options: HashOptions = {},
): Promise<void> {
  // A node may be there more than once: two words of a COPY name it.
  const unknown = new Set<FileNode>();
  for (const node of nodes) {
    node.sha256 ??= knownDigest(node, options.cache);
    if (node.sha256 === undefined) unknown.add(node);
  }
  if (unknown.size === 0) return;
  const missing = [...unknown];
  const since = Date.now();
  const read = await hashAll(missing.map(rangeOf), options);
  for (const [order, node] of missing.entries()) {
    node.sha256 = read[order]!;
    if (isHostNode(node)) options.cache?.set(node, read[order]!, since);
  }
}

/**
 * Reads all files, whatever their nodes know of them, and says whether that was true; it is afterwards. False, too, if a file
 * cannot be read: whoever reads it next tells why.
 */
export async function readAgain(
  nodes: readonly FileNode[],
  options: Omit<HashOptions, 'cache'> = {},
): Promise<boolean> {
  const files = nodes.filter(
    ({ content, size }) => content !== undefined && !('bytes' in content) && size > 0,
  );
  try {
    const read = await hashAll(files.map(rangeOf), options);
    const changed = files.filter(({ sha256 }, order) => sha256 !== read[order]);
    for (const [order, node] of files.entries()) node.sha256 = read[order]!;
    return changed.length === 0;
  } catch (error) {
    if (isTsbuildError(error) && error.code === 'CONTEXT') return false;
    throw error;
  }
}

/** Hashes ranges with one buffer, synchronously: the body of {@link HASH_TASK}. */
export function hashRanges(ranges: readonly FileRange[]): string[] {
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  let open: { file: string; fd: number } | undefined;
  const close = (): void => {
    if (open !== undefined) fs.closeSync(open.fd);
    open = undefined;
  };
  try {
    return ranges.map((range) => {
      try {
        // Neighbours are often ranges of one archive.
        if (open?.file !== range.file) {
          close();
          open = { file: range.file, fd: fs.openSync(fsPath(range.file), SAFE_READ) };
        }
        return hashRange(open.fd, range, buffer);
      } catch (cause) {
        throw unreadable(range.file, cause);
      }
    });
  } finally {
    close();
  }
}

function hashRange(fd: number, range: FileRange, buffer: Buffer): string {
  const hasher = range.size > buffer.length ? createHash('sha256') : undefined;
  for (let done = 0; done < range.size || hasher === undefined; ) {
    const wanted = Math.min(buffer.length, range.size - done);
    let length = 0;
    while (length < wanted) {
      const read = fs.readSync(fd, buffer, length, wanted - length, range.offset + done + length);
      if (read === 0) throw new Error('it became shorter while it was read');
      length += read;
    }
    const bytes = buffer.subarray(0, wanted);
    if (hasher === undefined) return hash('sha256', bytes, 'hex');
    hasher.update(bytes);
    done += wanted;
  }
  return hasher.digest('hex');
}

async function hashAll(
  ranges: readonly FileRange[],
  { workers, signal }: HashOptions,
): Promise<readonly string[]> {
  signal?.throwIfAborted();
  const bytes = ranges.reduce((sum, range) => sum + range.size, 0);
  const isSmall = bytes < MIN_BATCH_BYTES && ranges.length < MIN_BATCH_FILES;
  if (workers === undefined || isSmall) return hashRanges(ranges);
  const options = signal === undefined ? {} : { signal };
  const batches = splitBatches(ranges);
  const hashed = batches.map((batch) => workers.run(HASH_TASK, batch, options));
  return ((await Promise.all(hashed)) as string[][]).flat();
}

function splitBatches(ranges: readonly FileRange[]): FileRange[][] {
  const batches: FileRange[][] = [];
  let cost = BATCH_COST;
  for (const range of ranges) {
    if (cost >= BATCH_COST) {
      batches.push([]);
      cost = 0;
    }
    batches.at(-1)!.push(range);
    cost += range.size + FILE_COST;
  }
  return batches;
}

function knownDigest(node: FileNode, cache: StatCache | undefined): string | undefined {
  if (node.content !== undefined && 'bytes' in node.content) {
    return hash('sha256', node.content.bytes, 'hex');
  }
  return isHostNode(node) ? cache?.get(node) : undefined;
}

function rangeOf({ content }: FileNode): FileRange {
  if (content === undefined || 'bytes' in content) throw new TypeError('not a file on this host');
  return content;
}

function unreadable(file: string, cause: unknown): TsbuildError {
  const name = displayName(file);
  const why = errnoOf(cause) ?? (cause instanceof Error ? cause.message : String(cause));
  return new TsbuildError('CONTEXT', `read ${name}: ${why}`, {
    cause,
    hint: 'Make the file readable and leave it alone during the build, or exclude it in .dockerignore.',
  });
}
