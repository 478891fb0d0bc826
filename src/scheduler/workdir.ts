/**
 * WORKDIR makes its directory if there is none, and, as `mkdir -p a/../b` does, those on the way there. One that exists, or
 * a link to one, is left as it is.
 */
import { posix } from 'node:path';
import { recipe } from '../cache/recipe.ts';
import { TsbuildError } from '../errors.ts';
import type { WorkdirOp } from '../graph/step.ts';
import type { Layer, LayerInput } from '../layer/layer.ts';
import type { FileNode, FileTree } from '../tree/file-tree.ts';
import { parentPath } from '../tree/file-tree.ts';
import { resolvePath } from '../tree/resolve.ts';
import { resolveOwner } from '../tree/users.ts';
import type { OpHandler, StepContext } from './handler.ts';

export interface WorkdirEnvironment {
  readonly writeLayer: (inputs: readonly LayerInput[], signal: AbortSignal) => Promise<Layer>;
  /** Nanoseconds: the time of directories that no source gave one. */
  readonly createdTime: bigint;
}

export function workdirHandler(environment: WorkdirEnvironment): OpHandler<WorkdirOp> {
  return async (context) => {
    const { op } = context.step;
    return {
      recipe: recipe('workdir.v2', { parent: context.parent.chain, path: op.path, user: op.user }),
      async execute() {
        const inputs = missingDirectories(context, environment.createdTime);
        return inputs.size === 0
          ? undefined
          : environment.writeLayer([...inputs.values()], context.signal);
      },
    };
  };
}

/** By path. Those that exist on the way are repeated as they are, for readers of a layer who would else make them anew. */
function missingDirectories(
  { step, parent }: StepContext<WorkdirOp>,
  mtime: bigint,
): ReadonlyMap<string, LayerInput> {
  const { user, path } = step.op;
  const users = parent.layers.length === 0 ? undefined : parent.tree;
  const { uid, gid } = user ? resolveOwner(users, user) : { uid: 0, gid: 0 };
  const directory: FileNode = { type: 'directory', mode: 0o755, uid, gid, size: 0, mtime };
  const inputs = new Map<string, LayerInput>();
  for (const place of placesOnTheWay(path)) {
    for (const { path: at, node } of missingParts(parent.tree, place)) {
      inputs.set(at, { path: at, node: node ?? directory });
    }
  }
  return inputs;
}

/** `/a/../b/c` → `/a`, `/`, `/b`, `/b/c`. */
function placesOnTheWay(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  return names.map((_, index) => posix.resolve('/', ...names.slice(0, index + 1)));
}

/** The directory and those above it, the topmost first; none if it exists. */
function missingParts(tree: FileTree, place: string): { path: string; node?: FileNode }[] {
  const { path, node } = resolvePath(tree, place, { followLast: true });
  if (node?.type === 'directory') return [];
  if (node !== undefined) throw notADirectory(place);
  const parts: { path: string; node?: FileNode }[] = [];
  for (let at = path; at !== ''; at = parentPath(at)) {
    const there = tree.lookup(at);
    if (there !== undefined && there.type !== 'directory') throw notADirectory(`/${at}`);
    parts.unshift({ path: at, ...(there && { node: there }) });
  }
  return parts;
}

function notADirectory(path: string): TsbuildError {
  return new TsbuildError('COPY_SOURCE', `WORKDIR: ${path} exists and is not a directory`);
}
