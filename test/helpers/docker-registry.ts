/** Debian's docker-registry on a free port, with its files in a directory that goes with it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
}

export interface DockerRegistryOptions {
  /** Asks for these by HTTP basic authentication. */
  readonly credentials?: { readonly username: string; readonly password: string };
}

export async function startDockerRegistry(
  options: DockerRegistryOptions = {},
): Promise<DockerRegistry> {
  const directory = mkdtempSync(join(tmpdir(), 'tsbuild-registry-'));
  const file = join(directory, 'config.yml');
  writeFileSync(file, configuration(directory, options));
  const child = spawn('docker-registry', ['serve', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  const port = await listeningPort(child);
  child.stderr!.resume();
  return {
    host: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function configuration(directory: string, { credentials }: DockerRegistryOptions): string {
  let auth = '';
  if (credentials !== undefined) {
    const { username, password } = credentials;
    const passwords = join(directory, 'htpasswd');
    writeFileSync(passwords, execFileSync('htpasswd', ['-Bbn', username, password]));
    auth = `auth:\n  htpasswd:\n    realm: test\n    path: ${passwords}\n`;
  }
  return `version: 0.1
log:
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: ${join(directory, 'storage')}
  delete:
    enabled: true
http:
  addr: 127.0.0.1:0
${auth}`;
}

/** It takes a free port and says in its log which. */
async function listeningPort(child: ChildProcess): Promise<string> {
  let log = '';
  for await (const line of createInterface({ input: child.stderr! })) {
    log += `${line}\n`;
    const port = /listening on 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
    if (port !== undefined) return port;
  }
  throw new Error(`docker-registry did not start:\n${log}`);
}
