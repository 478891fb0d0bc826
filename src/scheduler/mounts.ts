/**
 * `RUN --mount`: what a step sees besides its own files. Bind sources enter the key by content; cache mounts and secrets
 * by their ids alone, so that a warm cache or a rotated secret changes no key and no value is ever written down.
 */
import { posix } from 'node:path';
import type { SecretMount } from '../dockerfile/mount.ts';
import { TsbuildError } from '../errors.ts';
import type { ExecMount } from '../executor/protocol.ts';
import type { RunMount, RunOp } from '../graph/step.ts';
import type { Layer } from '../layer/layer.ts';
import type { FileTree } from '../tree/file-tree.ts';
import { type LocatedCache, locateCaches, prepareCache } from './cache-mounts.ts';
import type { StepContext } from './handler.ts';
import { sourceDigest, sourceLayers } from './mount-sources.ts';

export interface MountEnvironment {
  /** The store's cache-mounts/ directory. */
  readonly cacheMounts: string;
  readonly contextTree: (name: string) => Promise<FileTree>;
  /** Digest of everything at `path` of a tree: bytes, names, modes; not times. */
  readonly contentDigest: (tree: FileTree, path: string) => Promise<string>;
  /** A layer with the file or the directory's content at `path` of a tree, and where it lies in there. */
  readonly layerOf: (
    tree: FileTree,
    path: string,
    signal: AbortSignal,
  ) => Promise<{ readonly layer: Layer; readonly path: string }>;
  /** A secret's value, or `undefined` if the build was not given one of that id. */
  readonly secret: (id: string) => Promise<Uint8Array | undefined>;
  /** Path of a socket that speaks to an ssh agent. */
  readonly sshSocket: (id: string) => Promise<string | undefined>;
}

export interface PreparedMounts extends AsyncDisposable {
  readonly mounts: readonly ExecMount[];
  /** Variables that come from secrets. */
  readonly env: readonly string[];
  /** Takes secrets out of what is shown to people. */
  redact(lines: readonly string[]): readonly string[];
}

export async function mountRecipe(
  context: StepContext<RunOp>,
  environment: MountEnvironment,
): Promise<string[]> {
  const described: string[] = [];
  for (const mount of context.step.op.mounts) {
    if (mount.type === 'bind') {
      const content = await sourceDigest(context, environment, mount.from, mount.source);
      described.push(
        JSON.stringify({ type: 'bind', target: mount.target, readonly: mount.readonly, content }),
      );
    } else {
      described.push(JSON.stringify(mount));
    }
  }
  return described;
}

export async function prepareMounts(
  context: StepContext<RunOp>,
  environment: MountEnvironment,
): Promise<PreparedMounts> {
  const releases: AsyncDisposable[] = [];
  const secrets: string[] = [];
  const env = sshVariable(context.step.op);
  const prepared = {
    mounts: scriptMount(context.step.op),
    env,
    redact: (lines: readonly string[]) =>
      lines.map((line) => secrets.reduce((text, secret) => text.replaceAll(secret, '***'), line)),
    async [Symbol.asyncDispose]() {
      for (const release of releases) await release[Symbol.asyncDispose]();
    },
  };
  try {
    const caches = await locateCaches(context, environment, releases);
    const preparation = { context, environment, caches, secrets, env };
    for (const mount of context.step.op.mounts) {
      prepared.mounts.push(...(await prepareMount(mount, preparation)));
    }
    return prepared;
  } catch (error) {
    await prepared[Symbol.asyncDispose]();
    throw error;
  }
}

function scriptMount({ script }: RunOp): ExecMount[] {
  if (script === undefined) return [];
  const content = Buffer.from(script.content);
  return [{ type: 'secret', content, target: script.path, mode: 0o755, uid: 0, gid: 0 }];
}

/** As in the engine, it is set be there an agent or not, to the first target as written, unless it is set already. */
function sshVariable({ mounts, env }: RunOp): string[] {
  const name = 'SSH_AUTH_SOCK=';
  const mount = mounts.find(({ type }) => type === 'ssh');
  if (mount?.type !== 'ssh' || env.some((pair) => pair.startsWith(name))) return [];
  return [name + mount.target];
}

interface Preparation {
  readonly context: StepContext<RunOp>;
  readonly environment: MountEnvironment;
  readonly caches: ReadonlyMap<RunMount, LocatedCache>;
  /** Texts to be redacted. */
  readonly secrets: string[];
  readonly env: string[];
}

async function prepareMount(mount: RunMount, preparation: Preparation): Promise<ExecMount[]> {
  const { context, environment, caches } = preparation;
  if (mount.type === 'secret') return prepareSecret(mount, preparation);
  const target = posix.resolve(context.step.op.workdir, mount.target);
  switch (mount.type) {
    case 'tmpfs':
      return [{ type: 'tmpfs', target, ...(mount.size === undefined ? {} : { size: mount.size }) }];
    case 'bind': {
      const { layers, path } = await sourceLayers(context, environment, mount.from, mount.source);
      return [{ type: 'layers', layers, path, target, readonly: mount.readonly }];
    }
    case 'cache':
      return [prepareCache(mount, target, caches.get(mount)!)];
    case 'ssh': {
      const agent = await environment.sshSocket(mount.id);
      if (agent === undefined) {
        if (mount.required) throw missing('ssh agent', mount.id);
        return [];
      }
      const { mode, uid, gid } = mount;
      return [{ type: 'ssh', agent, target, mode, uid, gid }];
    }
  }
}

async function prepareSecret(
  mount: SecretMount,
  { context, environment, secrets, env }: Preparation,
): Promise<ExecMount[]> {
  const content = await environment.secret(mount.id);
  if (content === undefined) {
    if (mount.required) throw missing('secret', mount.id);
    if (mount.env !== undefined) env.push(`${mount.env}=`);
    return [];
  }
  const text = Buffer.from(content).toString();
  secrets.push(...secretLines(text));
  if (mount.env !== undefined) env.push(`${mount.env}=${text}`);
  if (mount.target === undefined && mount.env !== undefined) return [];
  const { id, mode, uid, gid } = mount;
  const target = posix.resolve(context.step.op.workdir, mount.target ?? `/run/secrets/${id}`);
  return [{ type: 'secret', content, target, mode, uid, gid }];
}

/** What is shown is shown line by line. Of several lines the short ones, braces and the like, are no secrets by themselves. */
function secretLines(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  const filled = lines.filter((line) => line !== '');
  return filled.length > 1 ? filled.filter((line) => line.length >= SECRET_LENGTH) : filled;
}

const SECRET_LENGTH = 4;

function missing(what: string, id: string): TsbuildError {
  return new TsbuildError(
    'USAGE',
    `the step needs the ${what} ${JSON.stringify(id)}, which was not given`,
    {
      hint: what === 'secret' ? `pass --secret id=${id},src=FILE` : `pass --ssh ${id}`,
    },
  );
}
