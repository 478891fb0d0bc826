/** A root filesystem of one layer: busybox, its applets as links, and the usual directories. */
import { execFileSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { adoptLayer } from '../../src/layer/adopt.ts';
import type { Layer, LayerInput } from '../../src/layer/layer.ts';
import { writeLayer } from '../../src/layer/write.ts';
import type { Store } from '../../src/store/store.ts';
import type { FileNode } from '../../src/tree/file-tree.ts';

const BUSYBOX = '/bin/busybox';
export const BUSYBOX_TIME = 1_600_000_000_000_000_000n;

const base = { mode: 0o755, uid: 0, gid: 0, size: 0, mtime: BUSYBOX_TIME };

export const directoryNode: FileNode = { ...base, type: 'directory' };

export function textNode(text: string, node: Partial<FileNode> = {}): FileNode {
  const bytes = Buffer.from(text);
  return { ...base, mode: 0o644, type: 'file', size: bytes.length, content: { bytes }, ...node };
}

export function busyboxLayer(store: Store, extra: readonly LayerInput[] = []): Layer {
  const size = statSync(BUSYBOX).size;
  const applets = execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  const link: FileNode = { ...base, type: 'symlink', linkTarget: 'busybox' };
  return makeLayer(store, [
    { path: 'bin', node: directoryNode },
    {
      path: 'bin/busybox',
      node: { ...base, type: 'file', size, content: { file: BUSYBOX, offset: 0, size } },
    },
    ...applets
      .filter((name) => name !== 'busybox')
      .map((name) => ({ path: `bin/${name}`, node: link })),
    ...['dev', 'etc', 'home', 'proc', 'root', 'run', 'sys', 'var'].map((path) => ({
      path,
      node: directoryNode,
    })),
    {
      path: 'etc/passwd',
      node: textNode('root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home:/bin/sh\n'),
    },
    { path: 'etc/group', node: textNode('root:x:0:\napp:x:1000:\n') },
    { path: 'tmp', node: { ...directoryNode, mode: 0o1777 } },
    ...extra,
  ]);
}

export function makeLayer(store: Store, inputs: readonly LayerInput[]): Layer {
  const directory = store.tempDir();
  try {
    return adoptLayer(store, writeLayer(inputs, { directory }));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
