/** What ADD brings besides files of trees: downloads, checkouts and opened archives, in private directories while needed. */
import { rmSync } from 'node:fs';
import { type Archive, openArchive } from '../context/archive.ts';
import { download, downloadName } from '../context/download.ts';
import { checkOut } from '../context/git.ts';
import type { KnownDownloads } from '../context/known-downloads.ts';
import { type GitReference, parseGitReference } from '../context/location.ts';
import { TsbuildError } from '../errors.ts';
import type { CopyOp } from '../graph/step.ts';
import type { CopyItem, CopySource } from './copy-select.ts';

export interface CopySourcesOptions {
  /** Makes a private directory, which is removed here. */
  readonly tempDir: () => string;
  readonly fetch: typeof globalThis.fetch;
  readonly downloads?: KnownDownloads;
  /** Environment of git. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface OpenedArchives extends AsyncDisposable {
  readonly archives: ReadonlyMap<CopyItem, Archive>;
}

/** Dispose of it when no layer is written any more. */
export interface CopySources extends AsyncDisposable {
  /** Brings a URL of ADD. @throws TsbuildError `NETWORK`, `CONTEXT`, `DIGEST_MISMATCH` */
  fetchSource(url: string, step: { op: CopyOp; signal: AbortSignal }): Promise<CopySource>;
  /** The archives among the items to unpack, until disposed of. @throws TsbuildError `ARCHIVE` */
  openArchives(items: readonly CopyItem[], signal: AbortSignal): Promise<OpenedArchives>;
}

export function createCopySources({
  tempDir,
  fetch,
  downloads: known,
  env,
}: CopySourcesOptions): CopySources {
  const directories: string[] = [];
  const makeDirectory = (): string => {
    const directory = tempDir();
    directories.push(directory);
    return directory;
  };
  return {
    async fetchSource(url, { op, signal }) {
      const reference = parseGitReference(url);
      if (reference !== undefined) {
        const wanted = withFlags(reference, op);
        return {
          type: 'tree',
          tree: await checkOut(wanted, { directory: makeDirectory(), env, signal }),
        };
      }
      const { checksum } = op;
      const options = {
        ...{ directory: makeDirectory(), fetch, signal },
        ...(known ? { known } : {}),
      };
      const node = await download(url, checksum === undefined ? options : { ...options, checksum });
      return { type: 'file', name: downloadName(url), node, unpack: op.unpack === true };
    },
    async openArchives(items, signal) {
      const candidates = items.filter(({ unpack, node }) => unpack && node.content !== undefined);
      if (candidates.length === 0)
        return { archives: new Map(), [Symbol.asyncDispose]: async () => {} };
      const directory = tempDir();
      const remove = async () => rmSync(directory, { recursive: true, force: true });
      try {
        const archives = new Map<CopyItem, Archive>();
        for (const item of candidates) {
          const archive = await openArchive(item.node.content!, directory, signal);
          if (archive !== undefined) archives.set(item, archive);
        }
        return { archives, [Symbol.asyncDispose]: remove };
      } catch (error) {
        await remove();
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      for (const directory of directories.splice(0)) {
        rmSync(directory, { recursive: true, force: true });
      }
    },
  };
}

/** Flags and URL may say the same thing, but not different ones. */
function withFlags(reference: GitReference, { keepGitDir, checksum }: CopyOp): GitReference {
  const { keepGitDirectory = keepGitDir, checksum: commit = checksum } = reference;
  if (keepGitDir !== undefined && keepGitDir !== keepGitDirectory) {
    throw new TsbuildError(
      'DOCKERFILE_PARSE',
      'ADD: --keep-git-dir and the URL say different things',
    );
  }
  if (checksum !== undefined && checksum !== commit) {
    throw new TsbuildError('DOCKERFILE_PARSE', 'ADD: --checksum and the URL say different things');
  }
  return {
    ...reference,
    ...(keepGitDirectory === undefined ? {} : { keepGitDirectory }),
    ...(commit === undefined ? {} : { checksum: commit }),
  };
}
