/** Reads a layer's tar: what it says, as entries of an index. Also the place where hostile layers are refused. */
import { createHash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { errnoOf, TsbuildError } from '../errors.ts';
import { readFully } from '../host/read-fully.ts';
import { type DiffID, digestFromHex } from '../oci/digest.ts';
import { archiveError, type TarEntry } from '../tar/entry.ts';
import { entryPath } from '../tar/entry-path.ts';
import { feedTar, scanTar } from '../tar/scan.ts';
import { createEntrySet, type EntrySet, IMPLICIT_DIRECTORY } from './entry-set.ts';
import type { LayerEntry, LayerNode } from './layer.ts';
import { parseLayerName } from './whiteout.ts';

/** Bytes read at once when all are read. */
const CHUNK = 1024 * 1024;

/**
 * The entries of a layer's tar. With `diffID`, every byte is read and must have that digest; without, only headers are.
 * @throws TsbuildError `ARCHIVE` naming the entry, `DIGEST_MISMATCH`, `STORE` if the tar cannot be read.
 */
export function scanLayer(tar: string, diffID?: DiffID): Iterable<LayerEntry> {
  const collected = collectEntries(tar);
  const fd = openTar(tar);
  try {
    if (diffID !== undefined) scanAndVerify(fd, diffID, collected.add);
    else for (const entry of scanTar(fd)) collected.add(entry);
  } finally {
    closeSync(fd);
  }
  return collected.entries();
}

function scanAndVerify(fd: number, diffID: DiffID, add: (entry: TarEntry) => void): void {
  const hash = createHash('sha256');
  const feed = feedTar(add);
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  for (let at = 0, length = CHUNK; length === CHUNK; at += length) {
    length = readFully(fd, buffer, at);
    const chunk = buffer.subarray(0, length);
    hash.update(chunk);
    feed.write(chunk);
  }
  feed.end();
  const found = digestFromHex<DiffID>(hash.digest('hex'));
  if (found !== diffID)
    throw new TsbuildError(
      'DIGEST_MISMATCH',
      `read layer ${diffID}: its tar has the digest ${found}`,
    );
}

function openTar(tar: string): number {
  try {
    return openSync(tar, 'r');
  } catch (cause) {
    throw new TsbuildError('STORE', `open layer ${tar}: ${errnoOf(cause) ?? 'failed'}`, { cause });
  }
}

/** Gathers what the entries of one layer's tar mean; `tar` is the file that will hold their content. */
export function collectEntries(tar: string): {
  add(entry: TarEntry): void;
  entries(): Iterable<LayerEntry>;
} {
  const set = createEntrySet();
  return { add: (entry) => addEntry(set, entry, tar), entries: () => set.values() };
}

function addEntry(set: EntrySet, entry: TarEntry, tar: string): void {
  const name = parseLayerName(entryPath(entry.name));
  if (name.kind === 'ignored') return;
  const { path } = name;
  if (name.kind === 'whiteout') set.put({ path, whiteout: true });
  else if (name.kind === 'opaque') set.put(markedDirectory(set, path, entry.name));
  else if (entry.type === 'link') addLink(set, entry, path);
  else set.put({ path, node: toNode(entry, tar) });
}

/** The directory that an opaque mark is in: as it came before, or an implicit one. */
function markedDirectory(set: EntrySet, path: string, mark: string): LayerEntry {
  const entry = set.get(path);
  if (entry === undefined) return { path, node: IMPLICIT_DIRECTORY, opaque: true, implicit: true };
  // It was deleted, and made anew: a plain one.
  if ('whiteout' in entry) return { path, node: IMPLICIT_DIRECTORY, opaque: true };
  if (entry.node.type !== 'directory')
    throw archiveError('it marks what is not a directory as opaque', mark);
  return { ...entry, opaque: true };
}

/** The target must have come before in this archive: there is nothing else that a hard link could safely mean. */
function addLink(set: EntrySet, entry: TarEntry, path: string): void {
  const target = entryPath(entry.linkName ?? '', entry.name);
  const found = set.get(target);
  if (found === undefined || !('node' in found)) {
    throw archiveError(
      `it is a hard link to ${JSON.stringify(target)}, which does not come before it`,
      entry.name,
    );
  }
  if (found.node.type === 'directory')
    throw archiveError('it is a hard link to a directory', entry.name);
  if (target === path) return;
  const node = found.node.inode === undefined ? { ...found.node, inode: target } : found.node;
  if (node !== found.node) set.put({ ...found, node });
  set.put({ path, node });
}

function toNode(entry: TarEntry, tar: string): LayerNode {
  if (entry.sparse !== undefined) {
    throw new TsbuildError(
      'ARCHIVE',
      `layer entry ${JSON.stringify(entry.name)}: sparse files are not supported in layers`,
      {
        hint: 'make the layer without --sparse; no image builder writes such entries',
      },
    );
  }
  // All fields in all of them, as in the entry.
  return {
    type: entry.type === 'link' ? 'file' : entry.type,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    size: entry.size,
    mtime: entry.mtime,
    linkTarget: entry.type === 'symlink' ? (entry.linkName ?? '') : undefined,
    device: entry.device,
    xattrs: entry.xattrs,
    inode: undefined,
    sha256: undefined,
    content:
      entry.type === 'file' ? { file: tar, offset: entry.offset, size: entry.size } : undefined,
  };
}
