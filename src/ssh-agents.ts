/**
 * `--ssh`: agents that steps may speak to. An id stands for a socket that is there, or for private keys, for which an
 * agent is started that knows only them and ends with the build.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from './environment.ts';
import { errnoOf, TsbuildError } from './errors.ts';
import { findExecutable, kill, runCommand } from './host/process.ts';

export interface SshAgents extends AsyncDisposable {
  /** The socket for an id; `undefined` if the build was not given one. */
  socket(id: string): Promise<string | undefined>;
}

interface OpenedAgent {
  readonly socket: string;
  readonly close?: () => void;
}

export function openSshAgents(
  given: Readonly<Record<string, readonly string[]>>,
  environment: Environment,
): SshAgents {
  const opened = new Map<string, Promise<OpenedAgent>>();
  return {
    async socket(id) {
      const paths = Object.hasOwn(given, id) ? given[id] : undefined;
      if (paths === undefined) return undefined;
      let agent = opened.get(id);
      if (agent === undefined) {
        agent = openAgent(id, paths, environment);
        opened.set(id, agent);
      }
      return (await agent).socket;
    },
    async [Symbol.asyncDispose]() {
      const agents = await Promise.allSettled(opened.values());
      for (const agent of agents) if (agent.status === 'fulfilled') agent.value.close?.();
    },
  };
}

async function openAgent(
  id: string,
  paths: readonly string[],
  environment: Environment,
): Promise<OpenedAgent> {
  const [first = environment.env.SSH_AUTH_SOCK, ...more] = paths;
  if (first === undefined || first === '') {
    throw new TsbuildError('USAGE', `--ssh ${id}: there is no agent, SSH_AUTH_SOCK is not set`, {
      hint: `start one, or name a key: --ssh ${id}=$HOME/.ssh/id_ed25519`,
    });
  }
  if (more.length === 0 && isSocket(id, first)) return { socket: first };
  return startAgent(id, [first, ...more], environment);
}

function isSocket(id: string, path: string): boolean {
  try {
    return statSync(path).isSocket();
  } catch (cause) {
    throw new TsbuildError('USAGE', `--ssh ${id}: ${path}: ${errnoOf(cause) ?? 'cannot be read'}`, {
      cause,
    });
  }
}

/**
 * The agent serves a command, which prints the agent's pid and then reads from us. Should we be killed, the command ends, and
 * the agent, which looks for it every ten seconds, too.
 */
async function startAgent(
  id: string,
  keys: readonly string[],
  { env, store }: Environment,
): Promise<OpenedAgent> {
  const searchPath = env.PATH ?? '';
  const [agentProgram, addProgram] = ['ssh-agent', 'ssh-add'].map((name) =>
    findExecutable(name, searchPath),
  );
  if (agentProgram === undefined || addProgram === undefined) {
    throw new TsbuildError('UNSUPPORTED_HOST', `--ssh ${id}: keys need ssh-agent and ssh-add`, {
      hint: 'apt-get install openssh-client',
    });
  }
  const directory = store.tempDir();
  const socket = join(directory, 'agent');
  const args = ['-a', socket, 'sh', '-c', 'echo $SSH_AGENT_PID; exec cat >&2'];
  const child = spawn(agentProgram, args, {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { PATH: searchPath },
  });
  let agent: number | undefined;
  const close = () => {
    if (agent !== undefined) kill(agent, 'SIGTERM');
    child.stdin.end();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    agent = await listening(child);
    for (const key of keys) {
      const { status, stderr } = await runCommand(addProgram, ['-q', key], {
        env: { PATH: searchPath, HOME: env.HOME ?? '/', SSH_AUTH_SOCK: socket },
      });
      if (status === 0) continue;
      const why = stderr.toString().trim().slice(0, 300);
      throw new TsbuildError('USAGE', `--ssh ${id}: add key ${key}: ${why}`);
    }
    return { socket, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Its command starts, and prints, once it can be reached. */
function listening(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.stdout!.once('data', (line) => resolve(Number(line)));
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new TsbuildError('UNSUPPORTED_HOST', `ssh-agent ended with ${code}`)),
    );
  });
}
