/**
 * The content of what a COPY takes, as one digest: the part of the step's key that changes when a file does. It holds
 * what the result depends on and nothing else: paths, types, modes, owners, link targets, xattrs and bytes. Not the
 * time, so that a fresh checkout hits; not whether two names are one file; and not what a flag overrides anyway.
 */
import { createHash, type Hash } from 'node:crypto';
import { type Digest, digestFromHex, digestOf } from '../oci/digest.ts';
import type { FileNode } from '../tree/file-tree.ts';
import type { CopyItem } from './copy-select.ts';

export interface DigestOptions {
  /** Owners come from `--chown`. */
  readonly hasOwner: boolean;
  /** Modes come from an octal `--chmod`. */
  readonly hasMode: boolean;
  /** Sees to it that file nodes know their sha256. */
  hashFiles(nodes: readonly FileNode[]): Promise<void>;
}

/** Equal for equal content, on every machine. */
export async function digestCopy(
  items: readonly CopyItem[],
  options: DigestOptions,
): Promise<Digest> {
  await options.hashFiles(filesOf(items));

  let hash: Hash | undefined;
  let batch = '';
  const add = (line: string): void => {
    batch += line;
    if (batch.length < BATCH_CHARACTERS) return;
    hash ??= createHash('sha256');
    hash.update(batch);
    batch = '';
  };
  addLines(items, options, add);
  return hash === undefined ? digestOf(batch) : digestFromHex(hash.update(batch).digest('hex'));
}

/** All files among what is copied. */
export function filesOf(items: readonly CopyItem[]): FileNode[] {
  const files: FileNode[] = [];
  for (const { node, entries } of items) {
    if (node.type === 'file') files.push(node);
    for (const entry of entries) if (entry.node.type === 'file') files.push(entry.node);
  }
  return files;
}

/** Each call of a hash has its cost, large as the lines or not. */
const BATCH_CHARACTERS = 64 * 1024;

function addLines(
  items: readonly CopyItem[],
  options: DigestOptions,
  add: (line: string) => void,
): void {
  const addNode = (path: string, node: FileNode, type: string): void => {
    const content = node.type === 'file' ? node.sha256 : '-';
    add(`${type} ${describe(node, options)} ${content} ${JSON.stringify(path)}\n`);
  };
  for (const { name, node, unpack, entries } of items) {
    // Of a directory only the content is copied: neither its name nor its mode matter.
    if (node.type === 'directory') add('directory\n');
    else addNode(name, node, unpack ? 'unpack' : node.type);
    for (const entry of entries) addNode(entry.path, entry.node, entry.node.type);
  }
}

/** Fields without a space in them. */
function describe(node: FileNode, options: DigestOptions): string {
  const { mode, uid, gid, linkTarget, device, xattrs } = node;
  const octal = options.hasMode || node.type === 'symlink' ? '-' : mode.toString(8);
  const owner = options.hasOwner ? '-' : `${uid}:${gid}`;
  if (node.type === 'file' && xattrs === undefined) return `${octal} ${owner}`;
  const fields = [octal, owner];
  if (linkTarget !== undefined) fields.push(quote(linkTarget));
  if (device !== undefined) fields.push(`${device.major},${device.minor}`);
  for (const [name, value] of Object.entries(xattrs ?? {}).sort(byName)) {
    fields.push(`${quote(name)}=${Buffer.from(value).toString('hex')}`);
  }
  return fields.join(' ');
}

/** Without a space, and so that bytes that are not text come through. */
function quote(text: string): string {
  return JSON.stringify(text).replaceAll(' ', '\\u0020');
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}
