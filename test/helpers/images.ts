/** Small images in a store, for tests. */
import path from 'node:path';
import { assembleImage } from '../../src/image/assemble.ts';
import { adoptLayer } from '../../src/layer/adopt.ts';
import type { Layer, LayerInput } from '../../src/layer/layer.ts';
import { writeLayer } from '../../src/layer/write.ts';
import type { RunConfig } from '../../src/oci/config.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { formatReference, parseReference } from '../../src/oci/reference.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { inTempDir } from '../../src/store/temp.ts';
import type { FileNode } from '../../src/tree/file-tree.ts';
import { tempDirectory } from './temp-directory.ts';

export function newStore(): Store {
  return openStore(path.join(tempDirectory(), 'home'));
}

/** What differs from a plain file of root with this text; a path that ends in a slash is a directory. */
export type SampleFiles = Readonly<
  Record<string, string | (Partial<FileNode> & { readonly text?: string }) | null | undefined>
>;

/** A layer of files; `null` is a whiteout. */
export async function sampleLayer(store: Store, files: SampleFiles): Promise<Layer> {
  const inputs = Object.entries(files).flatMap(([name, file]) =>
    file === undefined ? [] : [sampleInput(name, file)],
  );
  return inTempDir(store, async (directory) =>
    adoptLayer(store, writeLayer(inputs, { directory })),
  );
}

function sampleInput(name: string, file: NonNullable<SampleFiles[string]> | null): LayerInput {
  const path = name.replace(/\/$/, '');
  if (file === null) return { path, whiteout: true };
  const { text = '', ...rest } = typeof file === 'string' ? { text: file } : file;
  const isDirectory = name.endsWith('/');
  const bytes = Buffer.from(text);
  const type = rest.type ?? (isDirectory ? 'directory' : 'file');
  const node: FileNode = {
    mode: isDirectory ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    size: bytes.length,
    mtime: 1_000_000_000_000_000_000n,
    ...(type === 'file' ? { content: { bytes } } : {}),
    ...rest,
    type,
  };
  return { path, node };
}

export interface SampleImage {
  readonly descriptor: Descriptor;
  readonly imageID: string;
  readonly layers: readonly Layer[];
}

/** An image of these layers for linux/amd64 (or another architecture), with these names. */
export async function sampleImage(
  store: Store,
  options: {
    readonly names?: readonly string[];
    readonly layers?: readonly SampleFiles[];
    readonly config?: RunConfig;
    readonly architecture?: string;
  } = {},
): Promise<SampleImage> {
  const layers: Layer[] = [];
  for (const files of options.layers ?? [{ 'etc/': {}, 'etc/motd': 'hello\n' }]) {
    layers.push(await sampleLayer(store, files));
  }
  const assembled = assembleImage(store, {
    config: {
      architecture: options.architecture ?? 'amd64',
      os: 'linux',
      created: '2020-01-02T03:04:05Z',
      config: options.config ?? { Cmd: ['/bin/sh'], Env: ['PATH=/bin'] },
      rootfs: { type: 'layers', diff_ids: [] },
      history: layers.map((_, at) => ({
        created: '2020-01-02T03:04:05Z',
        created_by: `step ${at}`,
      })),
    },
    layers: layers.map((layer) => ({ layer })),
  });
  for (const name of options.names ?? []) {
    await store.tag(formatReference(parseReference(name)), assembled.descriptor);
  }
  return { ...assembled, layers };
}
