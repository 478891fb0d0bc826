/**
 * What a RUN changed, as a layer. A snapshot tells which paths were written (snapshot/snapshotter.ts); much of that
 * may be as it was before: files written again with the same bytes, directories copied up because something below
 * them changed. That does not enter the layer, so what a step really did is what is stored, pushed and pulled.
 *
 * A path is as before if type, mode, owner, size, time, link target, device, xattrs and content are; the content is
 * compared last, and only of files that agree in all else. With SOURCE_DATE_EPOCH times are compared as
 * they will be written.
 */
import type { Change, Changes } from '../snapshot/snapshotter.ts';
import {
  type Content,
  type FileNode,
  type FileTree,
  joinPath,
  parentPath,
} from '../tree/file-tree.ts';
import type { Layer, LayerInput, WrittenLayer } from './layer.ts';
import { sameContent } from './same-content.ts';
import { stackTree } from './stack.ts';
import { clampedTime, latestTime } from './tar-layout.ts';
import { writeLayer } from './write.ts';

export interface DiffOptions {
  /** A private directory for the layer's files, see `writeLayer`. */
  readonly directory: string;
  /** Seconds since 1970; later times become this. */
  readonly sourceDateEpoch?: number;
}

/** Writes the layer that leads from `parents` to the snapshot; `undefined` if nothing changed. */
export function writeChanges(
  changes: Changes,
  parents: readonly Layer[],
  options: DiffOptions,
): WrittenLayer | undefined {
  const inputs = diffChanges(changes, stackTree(parents), options.sourceDateEpoch);
  return inputs.length === 0 ? undefined : writeLayer(inputs, options);
}

/**
 * The changes that make a difference to `parent`. A directory that holds one is among them even if it is as before:
 * who applies the layer must not have to guess its mode and owner.
 */
export function diffChanges(
  { paths, complete }: Changes,
  parent: FileTree,
  sourceDateEpoch?: number,
): LayerInput[] {
  const latest = latestTime(sourceDateEpoch);
  const byDirectory = new Map<string, Change[]>();
  for (const change of paths) {
    const directory = parentPath(change.path);
    const siblings = byDirectory.get(directory);
    if (siblings === undefined) byDirectory.set(directory, [change]);
    else siblings.push(change);
  }
  const same = sameAsIn(parent, latest);
  const isSame = linkedAlike(paths, parent, same);
  const diff: Diff = { parent, byDirectory, isSame, hasDevices: !complete };
  const inputs: LayerInput[] = [];
  diffDirectory(diff, '', complete, inputs);
  return inputs;
}

interface Diff {
  readonly parent: FileTree;
  readonly byDirectory: ReadonlyMap<string, readonly Change[]>;
  /** Whether a path that is no directory is as it was. */
  readonly isSame: (path: string, node: FileNode) => boolean;
  /** Whether a device that is not there was deleted: a copy made without root has none. */
  readonly hasDevices: boolean;
}

/**
 * Appends the differences below `directory`, and returns how many paths there are as before. `replaced`: the
 * directory is a new one, where the parent has one too; so what is not in it now is deleted.
 */
function diffDirectory(
  diff: Diff,
  directory: string,
  replaced: boolean,
  inputs: LayerInput[],
): number {
  const changes = diff.byDirectory.get(directory) ?? [];
  if (replaced) {
    const present = new Set(changes.map(({ path }) => path));
    for (const name of diff.parent.list(directory)) {
      const path = joinPath(directory, name);
      if (!present.has(path) && (diff.hasDevices || !isDevice(diff.parent.lookup(path)))) {
        inputs.push({ path, whiteout: true });
      }
    }
  }
  let kept = 0;
  for (const change of changes) kept += diffPath(diff, change, replaced, inputs);
  return kept;
}

function diffPath(diff: Diff, change: Change, replaced: boolean, inputs: LayerInput[]): number {
  const { path } = change;
  if ('whiteout' in change) {
    if (diff.parent.lookup(path) !== undefined) inputs.push(change);
    return 0;
  }
  const { node } = change;
  if (node.type === 'directory') return diffOwnDirectory(diff, change, replaced, inputs);
  if (change.untouched || diff.isSame(path, node)) return 1;
  inputs.push({ path, node });
  return 0;
}

function diffOwnDirectory(
  diff: Diff,
  { path, node, opaque, untouched }: Extract<Change, { node: FileNode }>,
  isInNew: boolean,
  inputs: LayerInput[],
): number {
  const replaced = (isInNew || opaque === true) && diff.parent.lookup(path)?.type === 'directory';
  const start = inputs.length;
  inputs.push({ path, node });
  const kept = diffDirectory(diff, path, replaced, inputs);
  if (replaced && kept === 0 && diff.parent.list(path).length > 0) {
    // Nothing of the old survived: one mark says so, instead of a deletion for each name.
    inputs.length = start;
    inputs.push({ path, node, opaque: true });
    pushAll(diff, path, inputs);
    return 0;
  }
  if (inputs.length > start + 1 || !(untouched || diff.isSame(path, node))) return kept;
  inputs.length = start;
  return kept + 1;
}

function isDevice(node: FileNode | undefined): boolean {
  return node?.type === 'char' || node?.type === 'block';
}

/** Everything below a directory, as it is. */
function pushAll(diff: Diff, directory: string, inputs: LayerInput[]): void {
  for (const change of diff.byDirectory.get(directory) ?? []) {
    if ('whiteout' in change) continue;
    inputs.push({ path: change.path, node: change.node });
    if (change.node.type === 'directory') pushAll(diff, change.path, inputs);
  }
}

/** Paths that are one file now must all stay out, and be one file in the parent too, or all be in the layer. */
function linkedAlike(
  changes: readonly Change[],
  parent: FileTree,
  isSame: Diff['isSame'],
): Diff['isSame'] {
  const links = new Map<string, string[]>();
  for (const change of changes) {
    if ('whiteout' in change || change.node.inode === undefined) continue;
    const paths = links.get(change.node.inode);
    if (paths === undefined) links.set(change.node.inode, [change.path]);
    else paths.push(change.path);
  }
  const answers = new Map<string, boolean>();
  return (path, node) => {
    const paths = node.inode === undefined ? undefined : links.get(node.inode);
    if (paths === undefined || paths.length < 2) return isSame(path, node);
    let answer = answers.get(node.inode!);
    if (answer === undefined) {
      const inode = parent.lookup(path)?.inode;
      answer =
        inode !== undefined &&
        paths.every((link) => parent.lookup(link)?.inode === inode) &&
        paths.every((link) => isSame(link, node));
      answers.set(node.inode!, answer);
    }
    return answer;
  };
}

function sameAsIn(parent: FileTree, latest: bigint | undefined): Diff['isSame'] {
  return (path, node) => {
    const before = parent.lookup(path);
    return (
      before !== undefined &&
      before.type === node.type &&
      // The mode of a symlink means nothing, and an archive may hold any.
      (before.mode === node.mode || node.type === 'symlink') &&
      before.uid === node.uid &&
      before.gid === node.gid &&
      before.size === node.size &&
      before.linkTarget === node.linkTarget &&
      clampedTime(before.mtime, latest) === clampedTime(node.mtime, latest) &&
      before.device?.major === node.device?.major &&
      before.device?.minor === node.device?.minor &&
      sameXattrs(before.xattrs ?? {}, node.xattrs ?? {}) &&
      (node.type !== 'file' || sameContent(contentOf(before), contentOf(node)))
    );
  };
}

function sameXattrs(
  a: Readonly<Record<string, Uint8Array>>,
  b: Readonly<Record<string, Uint8Array>>,
): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => b[name] !== undefined && Buffer.compare(a[name]!, b[name]) === 0)
  );
}

/** Of a file; an empty one need not say where it is. */
function contentOf({ content }: FileNode): Content {
  return content ?? { bytes: Buffer.alloc(0) };
}
