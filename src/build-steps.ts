/** The handlers of a build's steps, with everything that they need from the outside. */
import { readFileSync } from 'node:fs';
import type { BuildInputs } from './build-inputs.ts';
import type { Environment } from './environment.ts';
import { TsbuildError } from './errors.ts';
import type { Plan } from './graph/step.ts';
import type { Layer, LayerInput } from './layer/layer.ts';
import type { BuildOptions, SecretSource } from './options.ts';
import { digestCopy } from './scheduler/copy-digest.ts';
import { planCopy } from './scheduler/copy-plan.ts';
import { type CopySource, selectCopy } from './scheduler/copy-select.ts';
import type { OpHandlers } from './scheduler/handler.ts';
import type { MountEnvironment } from './scheduler/mounts.ts';
import { runHandler } from './scheduler/run.ts';
import { type MadeBefore, transferHandler } from './scheduler/transfer.ts';
import { workdirHandler } from './scheduler/workdir.ts';
import type { SshAgents } from './ssh-agents.ts';
import { SMALL_FILES, storeLayer } from './store-layer.ts';
import { baseName, EMPTY_TREE, type FileTree } from './tree/file-tree.ts';
import { subtree } from './tree/subtree.ts';

export interface StepParts {
  readonly options: BuildOptions;
  readonly environment: Environment;
  readonly inputs: BuildInputs;
  readonly ssh: SshAgents;
  readonly sourceDateEpoch: number | undefined;
}

/**
 * The time of files that no source gave one, unless SOURCE_DATE_EPOCH says otherwise: 1980 began then. Fixed, so that equal
 * inputs give equal layers; and not 1970, since zip archives, and so Python's wheels, know no time before 1980.
 */
const FIXED_TIME = 315_532_800;

export function stepHandlers(plan: Plan, parts: StepParts): OpHandlers {
  const { options, environment, inputs, sourceDateEpoch } = parts;
  const createdTime = BigInt(sourceDateEpoch ?? FIXED_TIME) * 1_000_000_000n;
  const epoch = sourceDateEpoch === undefined ? {} : { sourceDateEpoch };
  const write = (entries: readonly LayerInput[], signal: AbortSignal, before?: MadeBefore) =>
    storeLayer(entries, {
      store: environment.store,
      workers: () => environment.workers(),
      signal,
      sourceDateEpoch,
      before,
    });
  const contextTree = (name: string) => inputs.contextTree(name);
  return {
    run: runHandler({
      ...mountEnvironment(parts, write),
      executor: () => environment.executor(),
      network: options.network === 'none' ? 'none' : 'host',
      addHosts: options.addHosts ?? [],
      ...(options.shmSize === undefined ? {} : { shmSize: options.shmSize }),
      ...(options.ulimits === undefined ? {} : { ulimits: options.ulimits }),
      ...(options.cgroupParent === undefined ? {} : { cgroupParent: options.cgroupParent }),
      ...epoch,
    }),
    copy: transferHandler({
      contextTree,
      contextWords: (name) => () => contextWords(plan, name),
      hashFiles: (nodes) => inputs.hashFiles(nodes),
      knownContents: inputs.knownContents,
      expectLayer: (paths) => {
        if (paths > SMALL_FILES) void environment.workers().then((workers) => workers.warm());
      },
      writeLayer: write,
      sources: inputs.copySources,
      createdTime,
      ...epoch,
    }),
    workdir: workdirHandler({ writeLayer: write, createdTime }),
  };
}

function mountEnvironment(
  { options, environment, inputs, ssh }: StepParts,
  write: (entries: readonly LayerInput[], signal: AbortSignal) => Promise<Layer>,
): MountEnvironment {
  // By tree and not by word: a mount's source is a path, in which * and [ mean nothing.
  const everything = (tree: FileTree, path: string) => {
    const node = tree.lookup(path);
    const source: CopySource =
      node === undefined || node.type === 'directory'
        ? { type: 'tree', tree: subtree(tree, path) }
        : { type: 'file', name: baseName(path), node, unpack: false };
    return selectCopy({ sources: [source], exclude: [], parents: false });
  };
  return {
    cacheMounts: environment.store.path('cache-mounts'),
    contextTree: (name) => inputs.contextTree(name),
    contentDigest: (tree, path) =>
      digestCopy(everything(tree, path), {
        hasOwner: false,
        hasMode: false,
        hashFiles: (nodes) => inputs.hashFiles(nodes),
      }),
    async layerOf(tree, path, signal) {
      const items = everything(tree, path);
      const [item] = items;
      const at = item === undefined || item.node.type === 'directory' ? '' : item.name;
      const entries = planCopy(items, {
        base: EMPTY_TREE,
        path: `/${at}`,
        workdir: '/',
        createdTime: 0n,
      });
      return { layer: await write(entries, signal), path: at };
    },
    secret: async (id) => secretValue(options.secrets?.[id], environment),
    sshSocket: (id) => ssh.socket(id),
  };
}

function contextWords(plan: Plan, name: string): readonly string[] {
  return [...plan.steps.values()].flatMap(({ op }) =>
    op.type === 'copy' && op.from.type === 'context' && op.from.name === name ? op.sources : [],
  );
}

function secretValue(
  source: SecretSource | undefined,
  { env }: Environment,
): Uint8Array | undefined {
  if (source === undefined) return undefined;
  if ('value' in source) return Buffer.from(source.value);
  if ('env' in source) {
    const value = env[source.env];
    return value === undefined ? undefined : Buffer.from(value);
  }
  try {
    return readFileSync(source.file);
  } catch (cause) {
    throw new TsbuildError('USAGE', `read secret from ${source.file}`, { cause });
  }
}
