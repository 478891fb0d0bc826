/** What a directory on this host really holds, in a form that can be compared with what a layer said. */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { decodeName, fsPath } from '../../src/host/path-bytes.ts';
import { lgetxattr, llistxattr, major, minor } from '../../src/host/syscalls.ts';
import type { LowerEntry } from '../../src/layer/lower.ts';
import { lowerXattrs } from '../../src/layer/lower.ts';

export interface Seen {
  readonly type: string;
  readonly mode: number;
  readonly owner: string;
  readonly mtime: bigint;
  readonly size?: number;
  readonly linkTarget?: string;
  readonly device?: string;
  readonly xattrs: Readonly<Record<string, string>>;
  readonly sha256?: string;
  /** The first path, in order of names, that is the same file. */
  readonly sameAs?: string;
  readonly links?: number;
}

export type Seeing = Readonly<Record<string, Seen>>;

/** Everything below `root`, by path; the root is ''. */
export function readBack(root: string): Seeing {
  const seen: Record<string, Seen> = {};
  const inodes = new Map<bigint, string>();
  const visit = (path: string) => {
    const here = fsPath(path === '' ? root : `${root}/${path}`);
    const stat = lstatSync(here, { bigint: true });
    const first = stat.isDirectory() ? path : (inodes.get(stat.ino) ?? path);
    inodes.set(stat.ino, first);
    seen[path] = {
      type: TYPES[Number(stat.mode >> 12n)]!,
      mode: Number(stat.mode & 0o7777n),
      owner: `${stat.uid}:${stat.gid}`,
      mtime: stat.mtimeNs,
      xattrs: Object.fromEntries(
        llistxattr(here)
          .sort()
          .map((name) => [name, lgetxattr(here, name)!.toString('hex')]),
      ),
      ...(stat.isFile() ? { size: Number(stat.size), sha256: hash(readFileSync(here)) } : {}),
      ...(stat.isSymbolicLink() ? { linkTarget: decodeName(readlinkSync(here, 'buffer')) } : {}),
      ...(stat.isCharacterDevice() || stat.isBlockDevice()
        ? { device: `${major(stat.rdev)}:${minor(stat.rdev)}` }
        : {}),
      ...(stat.isDirectory() ? {} : { sameAs: first, links: Number(stat.nlink) }),
    };
    if (!stat.isDirectory()) return;
    const names = readdirSync(here, 'buffer').sort(Buffer.compare);
    for (const name of names) visit(path === '' ? decodeName(name) : `${path}/${decodeName(name)}`);
  };
  visit('');
  return seen;
}

/** The same of what should be there; `data` gives a file's bytes. */
export function expected(
  entries: readonly LowerEntry[],
  data: (entry: LowerEntry) => Uint8Array,
  namespace: 'trusted' | 'user' = 'trusted',
): Seeing {
  const inode = (entry: LowerEntry) => entry.node.inode ?? `only ${entry.path}`;
  const ordered = [...entries].sort((a, b) => comparePaths(a.path, b.path));
  const first = new Map<string, string>();
  const links = new Map<string, number>();
  for (const entry of ordered) {
    if (!first.has(inode(entry))) first.set(inode(entry), entry.path);
    links.set(inode(entry), (links.get(inode(entry)) ?? 0) + 1);
  }
  return Object.fromEntries(
    ordered.map((entry): [string, Seen] => {
      const { node, path } = entry;
      const xattrs = [...lowerXattrs(entry, namespace)].map(([name, value]) => [
        name,
        Buffer.from(value).toString('hex'),
      ]);
      return [
        path,
        {
          type: node.type,
          mode: node.type === 'symlink' ? 0o777 : node.mode,
          owner: `${node.uid}:${node.gid}`,
          mtime: node.mtime,
          xattrs: Object.fromEntries(xattrs.sort(([a], [b]) => (a! < b! ? -1 : 1))),
          ...(node.type === 'file' ? { size: node.size, sha256: hash(data(entry)) } : {}),
          ...(node.type === 'symlink' ? { linkTarget: node.linkTarget! } : {}),
          ...(node.device ? { device: `${node.device.major}:${node.device.minor}` } : {}),
          ...(node.type === 'directory'
            ? {}
            : { sameAs: first.get(inode(entry))!, links: links.get(inode(entry))! }),
        },
      ];
    }),
  );
}

const TYPES: Readonly<Record<number, string>> = {
  1: 'fifo',
  2: 'char',
  4: 'directory',
  6: 'block',
  8: 'file',
  10: 'symlink',
};

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The order in which {@link readBack} goes: name by name, each name by its bytes. */
function comparePaths(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')];
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    if (left[at] !== right[at]) return Buffer.compare(bytesOf(left[at]!), bytesOf(right[at]!));
  }
  return left.length - right.length;
}

function bytesOf(name: string): Buffer {
  const path = fsPath(name);
  return Buffer.isBuffer(path) ? path : Buffer.from(path);
}
