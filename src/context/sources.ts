/** From what the user wrote for a context to its files, and to the Dockerfile of a build. */
import fs from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errnoOf, TsbuildError } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import { cleanPath, EMPTY_TREE, type FileNode, type FileTree } from '../tree/file-tree.ts';
import { readTreeFile } from '../tree/read-file.ts';
import { resolvePath } from '../tree/resolve.ts';
import { openArchive } from './archive.ts';
import { openDirectory } from './directory.ts';
import { readIgnoreRules, whyIgnored } from './dockerignore.ts';
import { download } from './download.ts';
import { archiveTree } from './extract.ts';
import { checkOut } from './git.ts';
import type { KnownDownloads } from './known-downloads.ts';
import { type ContextLocation, parseContextLocation, parseLayoutLocation } from './location.ts';

export interface SourceOptions {
  /** Private; gets what is not a directory already, and must stay as long as the tree is in use. */
  readonly temp: () => string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fetch: typeof globalThis.fetch;
  readonly downloads?: KnownDownloads;
  readonly stdin?: Readable;
  /** What relative paths begin at. */
  readonly workdir: string;
  /** Of a git repository, unless its URL says otherwise. */
  readonly keepGitDirectory?: boolean;
  readonly signal?: AbortSignal;
}

export interface MainContextOptions extends SourceOptions {
  readonly context: string;
  /** As in `-f`: a path, or `-` for stdin. */
  readonly dockerfile?: string;
  /** The Dockerfile itself. */
  readonly dockerfileText?: string;
}

export interface OpenedContext {
  readonly tree: FileTree;
  /** Of a directory: where it is on this host, for the stat cache. */
  readonly directory?: string;
  /** Of a directory with ignore rules: whether they leave a path out, be it there or not. */
  readonly isIgnored?: (path: string) => boolean;
}

export interface MainContext extends OpenedContext {
  readonly dockerfile: {
    readonly bytes: Buffer;
    /** For messages. */
    readonly name: string;
  };
}

const MAX_DOCKERFILE = 16 * 1024 * 1024;
/** What the engine calls a file that a URL led to. */
const DOWNLOADED = 'context';

/**
 * The context of a build, and its Dockerfile: `-f` if given, relative to the working directory for a directory and to the
 * context for everything else; else `Dockerfile`, or `dockerfile` if only that exists.
 * @throws TsbuildError `CONTEXT`, `USAGE`, `NETWORK`, …
 */
export async function openMainContext(options: MainContextOptions): Promise<MainContext> {
  const location = parseContextLocation(options.context);
  if (location.type === 'stdin' && options.dockerfile === '-') {
    throw new TsbuildError('USAGE', 'stdin cannot be both the context and the Dockerfile');
  }
  if (location.type === 'directory') return openMainDirectory(location.path, options);
  const { tree, file } = await openRemote(location, options);
  const given = await givenDockerfile(options);
  if (given !== undefined) return { tree, dockerfile: given };
  // A lone file is a Dockerfile, whatever -f says.
  const dockerfile =
    file === undefined
      ? findDockerfile(tree, options.dockerfile)
      : { bytes: readTreeFile(file, MAX_DOCKERFILE), name: 'Dockerfile' };
  return { tree, dockerfile };
}

/**
 * A context that `--build-context` names: a directory with its own `.dockerignore`, a git repository, or the URL of a file,
 * which is not taken apart.
 */
export async function openNamedContext(
  value: string,
  options: SourceOptions,
): Promise<OpenedContext> {
  const location = parseContextLocation(value);
  if (location.type === 'http') {
    return { tree: fileTree(DOWNLOADED, await downloadTo(location.url, options)) };
  }
  if (location.type !== 'directory') return { tree: (await openRemote(location, options)).tree };
  const directory = path.resolve(options.workdir, location.path);
  return { tree: openDirectory(directory, readIgnoreRules(directory)), directory };
}

/**
 * Refuses a context that is a directory which does not exist, be it needed or not.
 * @throws TsbuildError `CONTEXT`
 */
export function checkNamedContext(name: string, value: string, workdir: string): void {
  const layout = parseLayoutLocation(value);
  if (layout === undefined && /^[a-z-]+:\/\//.test(value)) return;
  const location = parseContextLocation(layout?.directory ?? value);
  if (location.type !== 'directory') return;
  const directory = path.resolve(workdir, location.path);
  if (fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new TsbuildError('CONTEXT', `read context ${name}: ${directory} is no directory`);
}

async function openMainDirectory(where: string, options: MainContextOptions): Promise<MainContext> {
  const directory = path.resolve(options.workdir, where);
  const given = await givenDockerfile(options);
  const file = given === undefined ? dockerfilePath(directory, options) : undefined;
  const rules = readIgnoreRules(directory, file);
  const tree = openDirectory(directory, rules);
  const dockerfile = given ?? readDockerfile(file!, options.workdir);
  const isIgnored = (path: string) => rules !== undefined && whyIgnored(rules, path) !== undefined;
  return { tree, directory, dockerfile, isIgnored };
}

/** The files, and the downloaded or piped file itself if it was no archive. */
async function openRemote(
  location: Exclude<ContextLocation, { type: 'directory' }>,
  options: SourceOptions,
): Promise<{ tree: FileTree; file?: FileNode }> {
  const { env, signal } = options;
  if (location.type === 'git') {
    const gitOptions = { env, directory: options.temp(), ...(signal ? { signal } : {}) };
    const reference = { keepGitDirectory: options.keepGitDirectory, ...location.reference };
    return { tree: await checkOut(reference, gitOptions) };
  }
  const file =
    location.type === 'http' ? await downloadTo(location.url, options) : await spool(options);
  const archive = await openArchive(file.content!, options.temp(), signal);
  if (archive !== undefined) return { tree: archiveTree(archive) };
  return { tree: location.type === 'http' ? fileTree(DOWNLOADED, file) : EMPTY_TREE, file };
}

function downloadTo(url: string, options: SourceOptions): Promise<FileNode> {
  const { temp, fetch, downloads: known, signal } = options;
  return download(url, {
    ...{ directory: temp(), fetch },
    ...(known ? { known } : {}),
    ...(signal ? { signal } : {}),
  });
}

/** Keeps what comes on stdin: an archive is read more than once. */
async function spool({ stdin, temp, signal }: SourceOptions): Promise<FileNode> {
  if (stdin === undefined) throw new TsbuildError('USAGE', 'context is -, but there is no stdin');
  const file = path.join(temp(), 'stdin');
  try {
    await pipeline(stdin, fs.createWriteStream(file, { mode: 0o600 }), signal ? { signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw diskError(error, 'read context from stdin', 'CONTEXT');
  }
  const { size } = fs.statSync(file);
  const content = { file, offset: 0, size };
  return { type: 'file', mode: 0o600, uid: 0, gid: 0, size, mtime: 0n, content };
}

/** A Dockerfile that is no file of the context: its text, or stdin. */
async function givenDockerfile(
  options: MainContextOptions,
): Promise<MainContext['dockerfile'] | undefined> {
  if (options.dockerfileText !== undefined) {
    return { bytes: Buffer.from(options.dockerfileText), name: 'Dockerfile' };
  }
  if (options.dockerfile !== '-') return undefined;
  return { bytes: readTreeFile(await spool(options), MAX_DOCKERFILE), name: '-' };
}

function dockerfilePath(directory: string, { dockerfile, workdir }: MainContextOptions): string {
  if (dockerfile !== undefined) return path.resolve(workdir, dockerfile);
  const [usual, lower] = ['Dockerfile', 'dockerfile'].map((name) => path.join(directory, name));
  return !fs.existsSync(usual!) && fs.existsSync(lower!) ? lower! : usual!;
}

function readDockerfile(file: string, workdir: string): MainContext['dockerfile'] {
  const relative = path.relative(workdir, file);
  const name = relative.startsWith('../../') ? file : relative;
  try {
    return { bytes: fs.readFileSync(file), name };
  } catch (cause) {
    throw noDockerfile(name, errnoOf(cause) ?? String(cause), cause);
  }
}

function findDockerfile(tree: FileTree, given = 'Dockerfile'): MainContext['dockerfile'] {
  const candidates = given === 'Dockerfile' ? [given, 'dockerfile'] : [given];
  for (const name of candidates) {
    const { node } = resolvePath(tree, cleanPath(name), { followLast: true });
    if (node?.type === 'file') return { bytes: readTreeFile(node, MAX_DOCKERFILE), name };
  }
  throw noDockerfile(given, 'no such file in the context');
}

function noDockerfile(name: string, why: string, cause?: unknown): TsbuildError {
  return new TsbuildError('CONTEXT', `read Dockerfile ${name}: ${why}`, {
    hint: 'Name the Dockerfile with -f, or build in a directory that has one.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function fileTree(name: string, node: FileNode): FileTree {
  return {
    lookup: (path) => (path === name ? node : EMPTY_TREE.lookup(path)),
    list: (path) => (path === '' ? [name] : []),
  };
}
