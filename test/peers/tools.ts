/**
 * The tools of others that read what we write. `PEERS="chroot /opt/peers"` is put before their names, if they are not on
 * this machine's PATH, and `PEERS_DIR` is a directory that they see under the same path as we do (default: a temporary
 * one). What is not there is said, and its tests are skipped; that nothing is there is a failure.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import zlib from 'node:zlib';

const prefix = (process.env.PEERS ?? '').split(' ').filter(Boolean);
export const sharedDirectory = process.env.PEERS_DIR ?? tmpdir();

// Contexts, stores and layouts of the tests lie where the tools can see them.
process.env.TMPDIR = sharedDirectory;

export type ToolName = 'docker' | 'buildah' | 'podman' | 'skopeo' | 'umoci' | 'node';

export interface ToolCall {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/** Runs a tool, which must succeed, and gives its stdout. */
export function run(name: ToolName, args: readonly string[], call?: ToolCall): Promise<string> {
  return runCommand([...prefix, name, ...args], call);
}

/** Does not block: the registry of a test is our child, and would come to a stop with nobody reading its log. */
export async function runCommand(
  command: readonly string[],
  { env, input = '' }: ToolCall = {},
): Promise<string> {
  const [file, ...args] = command as [string, ...string[]];
  const child = spawn(file, args, { env: { ...process.env, ...env } });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk) => stdout.push(chunk));
  child.stderr.on('data', (chunk) => stderr.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [status] = await once(child, 'close');
  if (status === 0) return Buffer.concat(stdout).toString();
  throw new Error(`${command.join(' ')} ended with ${status}:\n${Buffer.concat(stderr)}`);
}

const present = new Map<ToolName, boolean>();

/** Whether it is there and answers. */
export function has(name: ToolName): boolean {
  const known = present.get(name);
  if (known !== undefined) return known;
  const args = name === 'docker' ? ['version', '-f', '{{.Server.Version}}'] : ['--version'];
  const { status, stdout } = probe([name, ...args]);
  process.stderr.write(`${name}: ${status === 0 ? stdout.split('\n')[0] : 'not there'}\n`);
  present.set(name, status === 0);
  return status === 0;
}

/** A Node that can compress with zstd, as the command that starts it; ours may be too old. */
export function nodeWithZstd(): readonly [string, ...string[]] | undefined {
  if ('zstdCompressSync' in zlib) return [process.execPath];
  const script = 'process.exit(require("zlib").zstdCompressSync ? 0 : 1)';
  if (probe(['node', '-e', script]).status !== 0) return undefined;
  return [...prefix, 'node'] as unknown as [string, ...string[]];
}

function probe(args: readonly string[]) {
  const [command, ...rest] = [...prefix, ...args] as unknown as [string, ...string[]];
  return spawnSync(command, rest, { encoding: 'utf8' });
}
