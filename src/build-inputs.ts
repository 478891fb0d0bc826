/** What a build reads: its Dockerfile and its contexts, as text and FileTrees. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { openDirectory } from './context/directory.ts';
import { readIgnoreRules } from './context/dockerignore.ts';
import { hashFiles } from './context/hash-files.ts';
import { openStatCache, type StatCache } from './context/stat-cache.ts';
import type { Environment } from './environment.ts';
import { errnoOf, TsbuildError } from './errors.ts';
import type { OperationContext } from './operation.ts';
import type { BuildOptions } from './options.ts';
import type { FileNode, FileTree } from './tree/file-tree.ts';

export interface BuildInputs {
  readonly dockerfile: string | Uint8Array;
  /** As errors show it. */
  readonly dockerfileName: string;
  /** A context by name; the main one is ''. Opened when first asked for. */
  contextTree(name: string): Promise<FileTree>;
  hashFiles(nodes: readonly FileNode[], signal: AbortSignal): Promise<readonly string[]>;
  /** Keeps what was learnt about files for the next build. */
  save(): void;
}

/** @throws TsbuildError `CONTEXT` if the context or the Dockerfile cannot be read */
export async function openBuildInputs(
  options: BuildOptions,
  environment: Environment,
  operation: OperationContext,
): Promise<BuildInputs> {
  const { dockerfile, name } = await readDockerfile(options);
  const caches: StatCache[] = [];
  const trees = new Map<string, FileTree>();
  const open = (root: string, file?: string): FileTree => {
    const tree = openDirectory(root, readIgnoreRules(root, file));
    caches.push(openStatCache(environment.store.path('contexts'), root));
    return tree;
  };
  return {
    dockerfile,
    dockerfileName: name,
    async contextTree(wanted) {
      let tree = trees.get(wanted);
      if (tree === undefined) {
        tree = wanted === '' ? open(options.context, name) : open(options.buildContexts![wanted]!);
        trees.set(wanted, tree);
      }
      return tree;
    },
    async hashFiles(nodes, signal) {
      const [cache] = caches;
      const workers = await environment.workers();
      return hashFiles(nodes, {
        workers,
        signal: AbortSignal.any([signal, operation.signal]),
        ...(cache ? { cache } : {}),
      });
    },
    save() {
      for (const cache of caches) cache.save();
    },
  };
}

async function readDockerfile(
  options: BuildOptions,
): Promise<{ dockerfile: string | Uint8Array; name: string }> {
  if (options.dockerfileText !== undefined)
    return { dockerfile: options.dockerfileText, name: 'Dockerfile' };
  if (options.dockerfile === '-' && options.stdin)
    return { dockerfile: await buffer(options.stdin), name: '-' };
  const file = options.dockerfile ?? standardDockerfile(options.context);
  try {
    return { dockerfile: readFileSync(file), name: file };
  } catch (cause) {
    const missing = errnoOf(cause) === 'ENOENT';
    throw new TsbuildError('CONTEXT', `read Dockerfile ${file}${missing ? ': no such file' : ''}`, {
      cause,
      ...(missing ? { hint: 'name it with -f FILE, or write one' } : {}),
    });
  }
}

function standardDockerfile(context: string): string {
  const usual = join(resolve(context), 'Dockerfile');
  const lower = join(resolve(context), 'dockerfile');
  return !existsSync(usual) && existsSync(lower) ? lower : usual;
}
