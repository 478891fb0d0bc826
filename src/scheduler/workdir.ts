/** WORKDIR makes its directory if there is none. One that exists, or a link to one, is left as it is. */
import { recipe } from '../cache/recipe.ts';
import { TsbuildError } from '../errors.ts';
import type { WorkdirOp } from '../graph/step.ts';
import type { Layer, LayerInput } from '../layer/layer.ts';
import type { FileNode } from '../tree/file-tree.ts';
import { parentPath } from '../tree/file-tree.ts';
import { resolvePath } from '../tree/resolve.ts';
import { resolveUser } from '../tree/users.ts';
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
      recipe: recipe('workdir.v1', { parent: context.parent.chain, path: op.path, user: op.user }),
      async execute() {
        const inputs = missingDirectories(context, environment.createdTime);
        return inputs.length === 0 ? undefined : environment.writeLayer(inputs, context.signal);
      },
    };
  };
}

/** Those that exist on the way are repeated as they are, for readers of a layer who would else make them anew. */
function missingDirectories({ step, parent }: StepContext<WorkdirOp>, mtime: bigint): LayerInput[] {
  const { path, node } = resolvePath(parent.tree, step.op.path, { followLast: true });
  if (node?.type === 'directory') return [];
  if (node !== undefined)
    throw new TsbuildError('COPY_SOURCE', `WORKDIR ${step.op.path} exists and is not a directory`);
  const owner = step.op.user ? resolveUser(parent.tree, step.op.user) : { uid: 0, gid: 0 };
  const directory: FileNode = {
    type: 'directory',
    mode: 0o755,
    uid: owner.uid,
    gid: owner.gid,
    size: 0,
    mtime,
  };
  const inputs: LayerInput[] = [];
  for (let at = path; at !== ''; at = parentPath(at)) {
    const there = parent.tree.lookup(at);
    if (there !== undefined && there.type !== 'directory') {
      throw new TsbuildError(
        'COPY_SOURCE',
        `WORKDIR ${step.op.path}: /${at} exists and is not a directory`,
      );
    }
    inputs.unshift({ path: at, node: there ?? directory });
  }
  return inputs;
}
