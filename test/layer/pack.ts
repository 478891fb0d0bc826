/** A layer made by hand: contents at multiples of 512 as in a tar, and the index that says where; no headers. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Layer, LayerEntry, LayerIndex } from '../../src/layer/layer.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { FileNode } from '../../src/tree/file-tree.ts';

export type Packed =
  | {
      readonly path: string;
      readonly node: FileNode;
      readonly opaque?: boolean;
      readonly data?: Uint8Array | string;
    }
  | { readonly path: string; readonly whiteout: true };

export function packLayer(
  directory: string,
  packed: readonly Packed[],
): { layer: Layer; index: LayerIndex } {
  const tar = join(directory, 'layer.tar');
  const pieces: Uint8Array[] = [Buffer.alloc(512, 'header')];
  let offset = 512;
  const place = (data: Uint8Array) => {
    const at = offset;
    pieces.push(data, Buffer.alloc(-data.length & 511));
    offset += (data.length + 511) & ~511;
    return { file: tar, offset: at, size: data.length };
  };
  const entries = packed.map((entry): LayerEntry => {
    if ('whiteout' in entry || entry.data === undefined) return entry;
    const { data, node, ...rest } = entry;
    const content = place(Buffer.from(data as string));
    return { ...rest, node: { ...node, size: content.size, content } };
  });
  const bytes = Buffer.concat(pieces);
  writeFileSync(tar, bytes);
  return {
    layer: { diffID: digestOf(bytes), size: bytes.length, tar, index: `${tar}.index` },
    index: { entries: new Map(entries.map((entry) => [entry.path, entry])) },
  };
}

const common = { uid: 0, gid: 0, size: 0, mtime: 1_600_000_000_123_456_789n };

/** Nodes with what a test does not care about filled in. */
export const make = {
  file: (more: Partial<FileNode> = {}): FileNode => ({
    type: 'file',
    mode: 0o644,
    ...common,
    ...more,
  }),
  directory: (more: Partial<FileNode> = {}): FileNode => ({
    type: 'directory',
    mode: 0o755,
    ...common,
    ...more,
  }),
  symlink: (linkTarget: string, more: Partial<FileNode> = {}): FileNode => ({
    type: 'symlink',
    mode: 0o777,
    ...common,
    linkTarget,
    ...more,
  }),
  fifo: (more: Partial<FileNode> = {}): FileNode => ({
    type: 'fifo',
    mode: 0o600,
    ...common,
    ...more,
  }),
  device: (
    type: 'char' | 'block',
    major: number,
    minor: number,
    more: Partial<FileNode> = {},
  ): FileNode => ({
    type,
    mode: 0o600,
    ...common,
    device: { major, minor },
    ...more,
  }),
};
