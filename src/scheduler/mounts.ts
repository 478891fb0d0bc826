/**
 * `RUN --mount`: what a step sees besides its own files. Bind sources enter the key by content; cache mounts and secrets
 * by their ids alone, so that a warm cache or a rotated secret changes no key and no value is ever written down.
 */
import { mkdirSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { TsbuildError } from '../errors.ts';
import type { ExecMount } from '../executor/protocol.ts';
import type { CacheMount, FileSource, RunMount, RunOp } from '../graph/step.ts';
import { acquireLock, tryLock } from '../host/lock.ts';
import type { Layer } from '../layer/layer.ts';
import { digestOf, hexOf } from '../oci/digest.ts';
import { cleanPath, EMPTY_TREE, type FileTree } from '../tree/file-tree.ts';
import { hintElsewhere } from '../tree/missing.ts';
import { resolvePath } from '../tree/resolve.ts';
import type { StepContext } from './handler.ts';

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
  const env: string[] = [];
  const mounts: ExecMount[] = [];
  const { script } = context.step.op;
  if (script !== undefined) {
    mounts.push({
      type: 'secret',
      content: Buffer.from(script.content),
      target: script.path,
      mode: 0o755,
      uid: 0,
      gid: 0,
    });
  }
  const prepared: PreparedMounts = {
    mounts,
    env,
    redact: (lines) =>
      lines.map((line) => secrets.reduce((text, secret) => text.replaceAll(secret, '***'), line)),
    async [Symbol.asyncDispose]() {
      for (const release of releases) await release[Symbol.asyncDispose]();
    },
  };
  try {
    for (const mount of context.step.op.mounts) {
      if (mount.type === 'secret') {
        const value = await environment.secret(mount.id);
        if (value === undefined) {
          if (mount.required) throw missing('secret', mount.id);
          continue;
        }
        const text = Buffer.from(value).toString();
        if (text.trim().length > 0) secrets.push(text.trim());
        if (mount.env !== undefined) env.push(`${mount.env}=${text}`);
        if (mount.env === undefined || mount.target !== undefined) {
          const target = absolute(
            mount.target ?? `/run/secrets/${mount.id}`,
            context.step.op.workdir,
          );
          mounts.push({
            type: 'secret',
            content: value,
            target,
            mode: mount.mode,
            uid: mount.uid,
            gid: mount.gid,
          });
        }
      } else {
        mounts.push(...(await prepareMount(mount, context, environment, releases, env)));
      }
    }
  } catch (error) {
    await prepared[Symbol.asyncDispose]();
    throw error;
  }
  return prepared;
}

async function prepareMount(
  mount: Exclude<RunMount, { type: 'secret' }>,
  context: StepContext<RunOp>,
  environment: MountEnvironment,
  releases: AsyncDisposable[],
  env: string[],
): Promise<ExecMount[]> {
  const target = absolute(mount.target, context.step.op.workdir);
  switch (mount.type) {
    case 'tmpfs':
      return [{ type: 'tmpfs', target, ...(mount.size === undefined ? {} : { size: mount.size }) }];
    case 'bind': {
      const { layers, path } = await sourceLayers(context, environment, mount.from, mount.source);
      return [{ type: 'layers', layers, path, target, readonly: mount.readonly }];
    }
    case 'cache':
      return [await prepareCache(mount, target, context, environment, releases)];
    case 'ssh': {
      const socket = await environment.sshSocket(mount.id);
      if (socket === undefined) {
        if (mount.required) throw missing('ssh agent', mount.id);
        return [];
      }
      env.push(`SSH_AUTH_SOCK=${target}`);
      return [{ type: 'bind', source: socket, target, readonly: false }];
    }
  }
}

/** `shared`: one directory for all. `locked`: the same, one step at a time. `private`: the first that is free. */
async function prepareCache(
  mount: CacheMount,
  target: string,
  context: StepContext<RunOp>,
  environment: MountEnvironment,
  releases: AsyncDisposable[],
): Promise<ExecMount> {
  const { cacheMounts } = environment;
  const seed =
    mount.from === undefined
      ? undefined
      : await sourceLayers(context, environment, mount.from, mount.source);
  // Caches that began with different files are different caches, whatever their id.
  const identity =
    seed === undefined
      ? [mount.id]
      : [mount.id, seed.path, ...seed.layers.map((layer) => layer.diffID)];
  const name = hexOf(digestOf(identity.join('\n'))).slice(0, 32);
  mkdirSync(cacheMounts, { recursive: true, mode: 0o700 });
  let source = join(cacheMounts, name);
  if (mount.sharing === 'locked') {
    releases.push(await acquireLock(`${source}.lock`, { signal: context.signal }));
  } else if (mount.sharing === 'private') {
    const free = await firstFree(source);
    releases.push(free.lock);
    source = free.directory;
  }
  const { readonly, mode, uid, gid } = mount;
  return { type: 'cache', source, target, readonly, mode, uid, gid, ...(seed ? { seed } : {}) };
}

async function firstFree(base: string): Promise<{ directory: string; lock: AsyncDisposable }> {
  for (let number = 0; ; number += 1) {
    const directory = number === 0 ? base : `${base}.${number}`;
    const lock = await tryLock(`${directory}.lock`);
    if (lock !== undefined) return { directory, lock };
  }
}

async function sourceLayers(
  context: StepContext<RunOp>,
  environment: MountEnvironment,
  from: FileSource,
  source: string,
): Promise<{ layers: readonly Layer[]; path: string }> {
  if (from.type === 'input') {
    const input = context.inputs[from.input]!;
    const { path, node } = resolvePath(input.tree, source, { followLast: true });
    if (node === undefined && path !== '') throw await noSource(input.tree, source);
    return { layers: input.layers, path };
  }
  if (from.type === 'nothing') return { layers: [], path: '' };
  const tree = await environment.contextTree(from.name);
  const { path, node } = resolvePath(tree, source, { followLast: true });
  if (node === undefined) throw await noSource(tree, source);
  const made = await environment.layerOf(tree, path, context.signal);
  return { layers: [made.layer], path: made.path };
}

async function sourceDigest(
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

function absolute(path: string, workdir: string): string {
  return isAbsolute(path) ? path : join(workdir, path);
}

async function noSource(tree: FileTree, source: string): Promise<TsbuildError> {
  const hint = tree.whyMissing?.(cleanPath(source)) ?? (await hintElsewhere(tree, source));
  return new TsbuildError(
    'COPY_SOURCE',
    `bind mount source ${JSON.stringify(source)}: not found`,
    hint === undefined ? {} : { hint },
  );
}

function missing(what: string, id: string): TsbuildError {
  return new TsbuildError(
    'USAGE',
    `the step needs the ${what} ${JSON.stringify(id)}, which was not given`,
    {
      hint: what === 'secret' ? `pass --secret id=${id},src=FILE` : `pass --ssh ${id}`,
    },
  );
}
