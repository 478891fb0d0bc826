/** Other programs: where they are, running one to its end, and ending one with all its descendants. */
import { spawn } from 'node:child_process';
import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { TsbuildError } from '../errors.ts';

/** The file that the shell would run for `name`; `undefined` if `searchPath` (as in `PATH`) has none. */
export function findExecutable(name: string, searchPath: string): string | undefined {
  const candidates = name.includes('/')
    ? [name]
    : searchPath.split(':').map((directory) => join(directory === '' ? '.' : directory, name));
  return candidates.find(isExecutable);
}

/** @throws TsbuildError `UNSUPPORTED_HOST` with the package of Debian in which it is */
export function requireExecutable(name: string, debianPackage: string, searchPath: string): string {
  const file = findExecutable(name, searchPath);
  if (file !== undefined) return file;
  throw new TsbuildError('UNSUPPORTED_HOST', `run a step: there is no ${name}`, {
    hint: `install it, for instance with: apt-get install ${debianPackage}`,
  });
}

export interface CommandResult {
  /** `undefined` when a signal ended it. */
  readonly status: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface CommandOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Given to stdin; without it, stdin is empty. */
  readonly input?: Uint8Array;
  readonly signal?: AbortSignal;
  /** Output beyond this is dropped: nobody's endless log fills our memory. */
  readonly maxOutput?: number;
}

/** Runs a program to its end, whatever its status. Rejects if it cannot be started, and with `signal.reason`. */
export async function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const { env, cwd, input, signal, maxOutput = 1 << 20 } = options;
  signal?.throwIfAborted();
  const child = spawn(file, args, { env, cwd, stdio: 'pipe' });
  const onAbort = (): void => killTree(child.pid);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const stdout = collect(child.stdout, maxOutput);
    const stderr = collect(child.stderr, maxOutput);
    // The program may end without having read its input; its status says what became of it.
    child.stdin.on('error', () => {}).end(input);
    const [status, end] = await new Promise<[number | null, NodeJS.Signals | null]>(
      (resolve, reject) => {
        child.once('error', reject).once('close', (...result) => resolve(result));
      },
    );
    signal?.throwIfAborted();
    return {
      status: status ?? undefined,
      signal: end ?? undefined,
      stdout: stdout(),
      stderr: stderr(),
    };
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Kills a process and all that descend from it. A process that is gone is no error. */
export function killTree(pid: number | undefined): void {
  if (pid === undefined) return;
  for (const child of descendants(pid)) kill(child, 'SIGKILL');
  kill(pid, 'SIGKILL');
}

/** Every process below `pid` at this moment, parents first. */
export function descendants(pid: number): number[] {
  const found = childrenOf(pid);
  for (const child of found) found.push(...childrenOf(child));
  return found;
}

/** The processes whose parent is `pid`. Empty where the kernel does not tell (CONFIG_PROC_CHILDREN). */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
        .split(' ')
        .filter((word) => word !== '')
        .map(Number),
    );
  } catch {
    return [];
  }
}

/**
 * The pids of a process, as each pid namespace that it is in sees it, from that of /proc inwards; empty if it is gone.
 * https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
 */
export function pidsOf(pid: number): number[] {
  try {
    const [, pids] = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return pids?.split(/\s+/).map(Number) ?? [];
  } catch {
    return [];
  }
}

/** Sends a signal; false if there is no such process any more. */
export function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

function collect(stream: NodeJS.ReadableStream, limit: number): () => Buffer {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    if (length < limit) chunks.push(chunk.subarray(0, limit - length));
    length += chunk.length;
  });
  return () => Buffer.concat(chunks);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
