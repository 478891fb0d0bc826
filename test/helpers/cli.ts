/**
 * The built command as users have it: its own copy of dist/ outside the checkout, a fresh store, and optionally an
 * ordinary user. What a test leaves running or mounted can be told by the copy's path.
 */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { prepareBusybox } from '../../examples/prepare.js';

export const repository = join(import.meta.dirname, '..', '..');
const TEST_USER = 'tsbuild-test';

export interface CliResult {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliCall {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Buffer;
}

export type FileTree = Readonly<
  Record<string, string | { readonly content: string; readonly mode: number }>
>;

export interface Cli extends AsyncDisposable {
  readonly home: string;
  /** Where this test may write. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  run(args: readonly string[], call?: CliCall): Promise<CliResult>;
  /** `run`, which must succeed; resolves with stdout. */
  ok(args: readonly string[], call?: CliCall): Promise<string>;
  start(args: readonly string[], options?: SpawnOptions): ChildProcess;
  /** A directory with these files, owned by the user. */
  context(files: FileTree): string;
  /** Makes the image `busybox` in the store, by the example's Dockerfile. */
  base(): Promise<void>;
  /** Command lines of processes that belong to this copy, or contain `marker`. */
  processes(marker?: string): string[];
}

export type As = 'root' | 'user';

/** @throws Error when there is no build, or the user is missing: `npm test` makes both */
export function createCli(as: As = 'root'): Cli {
  const dist = join(repository, 'dist');
  if (!existsSync(join(dist, 'tsbuild.cjs')))
    throw new Error('no dist/: run `npm run build` first');
  const directory = mkdtempSync(join(tmpdir(), 'tsbuild-e2e-'));
  const { uid, gid } = as === 'root' ? { uid: 0, gid: 0 } : userIds();
  const own = (path: string) => execFileSync('chown', ['-R', `${uid}:${gid}`, path]);
  install(dist, join(directory, 'install'));
  const home = join(directory, 'home');
  mkdirSync(home);
  own(directory);
  const environment = {
    PATH: process.env.PATH!,
    HOME: directory,
    TSBUILD_HOME: home,
    DOCKER_CONFIG: join(directory, 'docker'),
  };
  const command = join(directory, 'install', 'dist', 'tsbuild.cjs');
  const prefix =
    as === 'root' ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--'];
  let contexts = 0;
  const cli: Cli = {
    home,
    directory,
    environment,
    start(args, options = {}) {
      const [file, ...rest] = [...prefix, process.execPath, command, ...args] as [
        string,
        ...string[],
      ];
      return spawn(file, rest, { cwd: directory, env: environment, ...options });
    },
    run: (args, call = {}) => finish(cli, args, call),
    async ok(args, call) {
      const result = await cli.run(args, call);
      if (result.status === 0) return result.stdout;
      throw new Error(
        `tsbuild ${args.join(' ')} ended with ${result.status ?? result.signal}:\n${result.stderr}`,
      );
    },
    context(files) {
      contexts += 1;
      const path = join(directory, `context-${contexts}`);
      mkdirSync(path);
      writeTree(path, files);
      own(path);
      return path;
    },
    async base() {
      const path = join(directory, 'base');
      prepareBusybox(path);
      own(path);
      await cli.ok(['build', '-q', '-t', 'busybox', path]);
    },
    processes: (marker) =>
      runningProcesses(marker === undefined ? [directory] : [directory, marker]),
    async [Symbol.asyncDispose]() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return cli;
}

/** As `npm install` would leave it: the bundle, and the packages that it does not hold. */
function install(dist: string, target: string): void {
  cpSync(dist, join(target, 'dist'), { recursive: true });
  cpSync(join(repository, 'package.json'), join(target, 'package.json'));
  for (const name of ['koffi', '@koromix', 'zlib-sync']) {
    const from = join(repository, 'node_modules', name);
    if (existsSync(from)) cpSync(from, join(target, 'node_modules', name), { recursive: true });
  }
}

async function finish(cli: Cli, args: readonly string[], call: CliCall): Promise<CliResult> {
  const child = cli.start(args, {
    ...(call.cwd === undefined ? {} : { cwd: call.cwd }),
    env: { ...cli.environment, ...call.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout!.on('data', (chunk) => stdout.push(chunk));
  child.stderr!.on('data', (chunk) => stderr.push(chunk));
  // The command may end without having read it.
  child.stdin!.on('error', () => {});
  child.stdin!.end(call.stdin ?? '');
  const [status, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
    (resolve, reject) => {
      child.once('error', reject);
      child.once('close', (...end) => resolve(end));
    },
  );
  return {
    status,
    signal,
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  };
}

export function writeTree(directory: string, files: FileTree): void {
  for (const [name, file] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    if (typeof file === 'string') writeFileSync(path, file);
    else writeFileSync(path, file.content, { mode: file.mode });
  }
}

function userIds(): { uid: number; gid: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, TEST_USER], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function runningProcesses(markers: readonly string[]): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        return markers.some((marker) => line.includes(marker)) ? [line] : [];
      } catch {
        return []; // It has ended meanwhile.
      }
    });
}

/** Mounts below `directory` that are seen here. */
export function mountsBelow(directory: string): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.filter((line) => line.includes(directory));
}

/** Polls until `condition` holds; for what another process does. */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function giveTo(path: string, as: As): void {
  const { uid, gid } = as === 'root' ? { uid: 0, gid: 0 } : userIds();
  chownSync(path, uid, gid);
}
