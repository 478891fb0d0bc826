/** Where bind and cache mounts take their files from: another step's result, or a context. */
import { TsbuildError } from '../errors.ts';
import type { FileSource, RunOp } from '../graph/step.ts';
import type { Layer } from '../layer/layer.ts';
import { cleanPath, EMPTY_TREE, type FileTree } from '../tree/file-tree.ts';
import { hintElsewhere } from '../tree/missing.ts';
import { resolvePath } from '../tree/resolve.ts';
import type { StepContext } from './handler.ts';
import type { MountEnvironment } from './mounts.ts';

/** Layers, and what of them is meant. */
export interface SourceLayers {
  readonly layers: readonly Layer[];
  readonly path: string;
}

/** @throws TsbuildError `COPY_SOURCE` if there is no such path */
export async function sourceLayers(
  context: StepContext<RunOp>,
  environment: MountEnvironment,
  from: FileSource,
  source: string,
): Promise<SourceLayers> {
  if (from.type === 'input') {
    const input = context.inputs[from.input]!;
    const { path, node } = resolvePath(input.tree, source, { followLast: true });
    if (node === undefined && path !== '') throw await noSource(input.tree, source);
    return { layers: input.layers, path };
  }
  if (from.type === 'nothing') {
    if (cleanPath(source) !== '') throw await noSource(EMPTY_TREE, source);
    return { layers: [], path: '' };
  }
  const tree = await environment.contextTree(from.name);
  const { path, node } = resolvePath(tree, source, { followLast: true });
  if (node === undefined) throw await noSource(tree, source);
  const made = await environment.layerOf(tree, path, context.signal);
  return { layers: [made.layer], path: made.path };
}

/** @throws TsbuildError `COPY_SOURCE` if there is no such path */
export async function sourceDigest(
  context: StepContext<RunOp>,
  environment: MountEnvironment,
  from: FileSource,
  source: string,
): Promise<string> {
  const tree =
    from.type === 'input'
      ? context.inputs[from.input]!.tree
      : from.type === 'nothing'
        ? EMPTY_TREE
        : await environment.contextTree(from.name);
  const { path, node } = resolvePath(tree, source, { followLast: true });
  if (node === undefined && path !== '') throw await noSource(tree, source);
  return environment.contentDigest(tree, path);
}

async function noSource(tree: FileTree, source: string): Promise<TsbuildError> {
  const hint = tree.whyMissing?.(cleanPath(source)) ?? (await hintElsewhere(tree, source));
  return new TsbuildError(
    'COPY_SOURCE',
    `mount source ${JSON.stringify(source)}: not found`,
    hint === undefined ? {} : { hint },
  );
}
