/** What a build reads: its Dockerfile and its contexts, as text and FileTrees. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { HostNode } from './context/directory.ts';
import { hashFiles } from './context/hash-files.ts';
import { type KnownContents, openKnownContents } from './context/known-contents.ts';
import { openKnownDownloads } from './context/known-downloads.ts';
import {
  checkNamedContext,
  type OpenedContext,
  openMainContext,
  openNamedContext,
} from './context/sources.ts';
import { openStatCache, type StatCache } from './context/stat-cache.ts';
import type { Environment } from './environment.ts';
import type { OperationContext } from './operation.ts';
import type { BuildOptions } from './options.ts';
import { type CopySources, createCopySources } from './scheduler/copy-sources.ts';
import type { FileNode, FileTree } from './tree/file-tree.ts';

export interface BuildInputs extends AsyncDisposable {
  readonly dockerfile: { readonly bytes: Uint8Array; readonly name: string };
  /** Whether `.dockerignore` leaves a path out of the main context. */
  readonly isIgnored: (path: string) => boolean;
  /** A context by name; the main one is ''. Opened when first asked for. */
  contextTree(name: string): Promise<FileTree>;
  hashFiles(nodes: readonly FileNode[]): Promise<void>;
  /** What a COPY took from contexts in other builds. */
  readonly knownContents: KnownContents;
  /** What ADD brings. */
  readonly copySources: CopySources;
  /** Keeps what was learnt about files for the next build. */
  save(): void;
}

/** @throws TsbuildError `CONTEXT` if the context or the Dockerfile cannot be read, and what fetching them throws */
export async function openBuildInputs(
  options: BuildOptions,
  environment: Environment,
  { signal }: OperationContext,
): Promise<BuildInputs> {
  const { env, store } = environment;
  const temps: string[] = [];
  const temp = () => {
    const directory = store.tempDir();
    temps.push(directory);
    return directory;
  };
  const { stdin, dockerfile: file, dockerfileText } = options;
  const downloads = openKnownDownloads(store.path('downloads'));
  const sources = {
    temp,
    env,
    fetch,
    downloads,
    workdir: environment.workdir,
    signal,
    ...(stdin ? { stdin } : {}),
  };
  for (const [name, value] of Object.entries(options.buildContexts ?? {})) {
    checkNamedContext(name, value, environment.workdir);
  }
  const removeTemps = () => {
    for (const directory of temps) rmSync(directory, { recursive: true, force: true });
  };
  const main = await openMainContext({
    ...sources,
    context: options.context,
    keepGitDirectory: keepsGitDirectory(options),
    ...(file === undefined ? {} : { dockerfile: file }),
    ...(dockerfileText === undefined ? {} : { dockerfileText }),
  }).catch((error: unknown) => {
    removeTemps();
    throw error;
  });
  const copySources = createCopySources({ tempDir: () => store.tempDir(), fetch, downloads, env });
  const knownContents = openKnownContents(join(store.path('contexts'), 'contents'));
  const caches = new Map<string, StatCache>();
  const remember = ({ tree, directory }: OpenedContext): FileTree => {
    if (directory !== undefined && !caches.has(directory)) {
      caches.set(directory, openStatCache(store.path('contexts'), directory));
    }
    return tree;
  };
  const trees = new Map<string, Promise<FileTree>>([['', Promise.resolve(remember(main))]]);
  return {
    dockerfile: main.dockerfile,
    isIgnored: main.isIgnored ?? (() => false),
    contextTree(name) {
      let tree = trees.get(name);
      if (tree === undefined) {
        tree = openNamedContext(options.buildContexts![name]!, sources).then(remember);
        trees.set(name, tree);
      }
      return tree;
    },
    async hashFiles(nodes) {
      return hashFiles(nodes, {
        workers: await environment.workers(),
        signal,
        cache: joinCaches(caches),
      });
    },
    knownContents,
    copySources,
    save() {
      knownContents.save();
      for (const cache of caches.values()) cache.save();
    },
    async [Symbol.asyncDispose]() {
      await copySources[Symbol.asyncDispose]();
      removeTemps();
    },
  };
}

function keepsGitDirectory({ buildArgs = {} }: BuildOptions): boolean {
  return /^(1|t|true)$/i.test(buildArgs.BUILDKIT_CONTEXT_KEEP_GIT_DIR ?? '');
}

/** One cache for files of any context: each context remembers its own. */
function joinCaches(caches: ReadonlyMap<string, StatCache>): StatCache {
  const roots = [...caches].map(([directory, cache]) => ({ root: `${directory}/`, cache }));
  const cacheOf = ({ content }: HostNode) => {
    const file = content !== undefined && 'file' in content ? content.file : '';
    return roots.find(({ root }) => file.startsWith(root))?.cache;
  };
  return {
    get: (node) => cacheOf(node)?.get(node),
    set: (node, sha256, since) => cacheOf(node)?.set(node, sha256, since),
    save: () => {},
  };
}
