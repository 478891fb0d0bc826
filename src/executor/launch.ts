/**
 * Starts the executor in its own mount and pid namespaces and, without root, its own user namespace and, to be
 * allowed to mount cgroups, cgroup namespace.
 *
 * Nothing may outlive us. Each process of the chain that leads to the executor asks the kernel to be killed when its
 * parent dies, and the executor is the first process of its pid namespace: with it dies everything in there.
 *
 *     tsbuild ─ setpriv ⇒ unshare ─ node executor.cjs ─ runc ─ container
 *
 * (⇒ is an exec, ─ a child.) Without root, a process in a new user namespace waits until we have mapped ids to it,
 * which only newuidmap may do, and is root in there from its next exec on.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import { requireExecutable, runCommand } from '../host/process.ts';
import type { StandardStreams } from './container-io.ts';
import { type IdMap, type IdMaps, readIdMaps } from './id-maps.ts';

export interface LaunchOptions {
  /** File of the executor's entry. */
  readonly entry: string;
  readonly searchPath: string;
  /** Make a user namespace. */
  readonly rootless: boolean;
}

/** @throws TsbuildError `UNSUPPORTED_HOST` if a tool is missing, or the user has no range of ids. */
export async function launch(options: LaunchOptions): Promise<ChildProcess> {
  const find = (name: string, debianPackage: string) =>
    requireExecutable(name, debianPackage, options.searchPath);
  const unshare = find('unshare', 'util-linux');
  const command = [
    ...[find('setpriv', 'util-linux'), '--pdeathsig', 'KILL', '--'],
    ...[unshare, '--mount', '--propagation', 'private', ...(options.rootless ? ['--cgroup'] : [])],
    ...['--pid', '--fork', '--kill-child=KILL', '--mount-proc', '--'],
    ...[process.execPath, options.entry],
  ];
  if (!options.rootless) return start(command, options);
  const maps = readIdMaps();
  const tools = {
    uid: find('newuidmap', 'uidmap'),
    gid: find('newgidmap', 'uidmap'),
  };
  const shell = find('sh', 'dash');
  const child = start([unshare, '--user', '--', shell, '-c', WAIT, shell, ...command], options);
  await mapIds(child, maps, tools, options);
  return child;
}

/** The executor's descriptors for the standard streams of the build process. Number 3 is the channel. */
export const INHERITED: StandardStreams = { stdin: 4, stdout: 5, stderr: 6 };

/** Says that the user namespace is there, waits for the ids, and goes on as their root. */
const WAIT = 'echo >&7 && read -r go <&7 && exec "$@" 7<&-';

function start([file, ...args]: readonly string[], options: LaunchOptions): ChildProcess {
  return spawn(file!, args, {
    // Only this: options for Node would cost time, or run something else in there.
    env: { PATH: options.searchPath },
    // See INHERITED for what follows the channel; the last one is for WAIT.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc', 0, 1, 2, options.rootless ? 'pipe' : 'ignore'],
    serialization: 'advanced',
  });
}

async function mapIds(
  child: ChildProcess,
  maps: IdMaps,
  tools: { readonly uid: string; readonly gid: string },
  options: LaunchOptions,
): Promise<void> {
  const gate = child.stdio.at(7) as Duplex;
  try {
    await new Promise<void>((resolve, reject) => {
      gate.once('data', () => resolve()).once('error', reject);
      child.once('error', reject);
      child.once('exit', () => reject(new Error('unshare --user failed')));
    });
    for (const kind of ['uid', 'gid'] as const)
      await writeMap(tools[kind], child, maps[kind], options);
    gate.end('\n');
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

async function writeMap(
  tool: string,
  child: ChildProcess,
  map: readonly IdMap[],
  options: LaunchOptions,
): Promise<void> {
  const numbers = map.flatMap(({ inside, outside, count }) => [inside, outside, count]);
  const args = [child.pid!, ...numbers].map(String);
  const { status, stderr } = await runCommand(tool, args, { env: { PATH: options.searchPath } });
  if (status === 0) return;
  throw new TsbuildError('UNSUPPORTED_HOST', `map ids with ${tool}: ${stderr.toString().trim()}`, {
    hint: 'check that newuidmap and newgidmap are setuid root, and the ranges in /etc/subuid and /etc/subgid',
  });
}
