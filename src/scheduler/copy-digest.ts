/**
 * The content of what a COPY takes, as one digest: the part of the step's key that changes when a file does. It holds
 * what the result depends on and nothing else: paths, types, modes, owners, link targets, xattrs and bytes. Not the
 * time, so that a fresh checkout hits; not whether two names are one file; and not what a flag overrides anyway.
 */
import { type Digest, digestOf } from '../oci/digest.ts';
import type { FileNode } from '../tree/file-tree.ts';
import type { CopyItem } from './copy-select.ts';

export interface DigestOptions {
  /** Owners come from `--chown`. */
  readonly hasOwner: boolean;
  /** Modes come from an octal `--chmod`. */
  readonly hasMode: boolean;
  /** sha256 in hex of each file node, in order. */
  hashFiles(nodes: readonly FileNode[]): Promise<readonly string[]>;
}

/** Equal for equal content, on every machine. */
export async function digestCopy(
  items: readonly CopyItem[],
  options: DigestOptions,
): Promise<Digest> {
  const nodes = items.flatMap(({ node, entries }) => [node, ...entries.map((entry) => entry.node)]);
  const files = [...new Set(nodes.filter(({ type }) => type === 'file'))];
  const hashes = await options.hashFiles(files);
  const hashOf = new Map(files.map((node, index) => [node, hashes[index]!]));

  const lines: string[] = [];
  const add = (...fields: unknown[]): void => {
    lines.push(JSON.stringify(fields));
  };
  const addNode = (path: string, node: FileNode, unpack: boolean): void =>
    add(path, ...describe(node, unpack, options), hashOf.get(node) ?? '');
  for (const { name, node, unpack, entries } of items) {
    // Of a directory only the content is copied: neither its name nor its mode matter.
    if (node.type === 'directory') add('directory');
    else addNode(name, node, unpack);
    for (const entry of entries) addNode(entry.path, entry.node, false);
  }
  return digestOf(lines.join('\n'));
}

function describe(node: FileNode, unpack: boolean, options: DigestOptions): unknown[] {
  const { type, device } = node;
  return [
    unpack ? 'unpack' : type,
    options.hasMode || type === 'symlink' ? '' : node.mode,
    options.hasOwner ? '' : `${node.uid}:${node.gid}`,
    node.linkTarget ?? '',
    device === undefined ? '' : `${device.major}:${device.minor}`,
    Object.entries(node.xattrs ?? {})
      .map(([key, value]) => [key, Buffer.from(value).toString('hex')])
      .sort(),
  ];
}
