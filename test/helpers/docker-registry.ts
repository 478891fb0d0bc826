/** Debian's docker-registry (CNCF distribution) on a free port, with htpasswd, for as long as a test needs it. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface DockerRegistryOptions {
  /** Asks for these credentials; open to everyone without. */
  readonly users?: Readonly<Record<string, string>>;
  /** Plain settings of its configuration, as YAML at the top level. */
  readonly extraConfig?: string;
}

export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** Requests so far, as `METHOD PATH STATUS`, without queries. */
  requests(): readonly string[];
}

const START_MILLISECONDS = 20_000;

export async function startDockerRegistry(
  options: DockerRegistryOptions = {},
): Promise<DockerRegistry> {
  // Another process may take the port between our finding it free and the registry's taking it.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(options);
    } catch (error) {
      if (attempt === 5 || !String(error).includes('address already in use')) throw error;
    }
  }
}

async function startOnce({
  users,
  extraConfig = '',
}: DockerRegistryOptions): Promise<DockerRegistry> {
  const directory = mkdtempSync(join(tmpdir(), 'tsbuild-registry-'));
  const host = `127.0.0.1:${await freePort()}`;
  writeFileSync(join(directory, 'config.yml'), configuration(host, directory, users, extraConfig));
  if (users) writeFileSync(join(directory, 'htpasswd'), htpasswd(users));
  const child = spawn('docker-registry', ['serve', join(directory, 'config.yml')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      output += String(error);
      resolve();
    });
    child.once('exit', () => resolve());
  });
  const stop = async () => {
    child.kill('SIGKILL');
    await exited;
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await Promise.race([
      answers(host),
      exited.then(() => {
        throw new Error(`docker-registry ended: ${output}`);
      }),
    ]);
  } catch (error) {
    await stop();
    throw error;
  }
  const line = /"(GET|HEAD|POST|PUT|PATCH|DELETE) ([^ ?"]+)[^"]*" (\d{3})/g;
  return {
    host,
    requests: () =>
      [...output.matchAll(line)].map(([, method, path, status]) => `${method} ${path} ${status}`),
    [Symbol.asyncDispose]: stop,
  };
}

function configuration(
  host: string,
  directory: string,
  users: DockerRegistryOptions['users'],
  extra: string,
): string {
  const auth = users
    ? `auth:\n  htpasswd:\n    realm: test\n    path: ${directory}/htpasswd\n`
    : '';
  return `version: 0.1
log:
  level: error
  accesslog:
    disabled: false
storage:
  filesystem:
    rootdirectory: ${directory}/data
  delete:
    enabled: true
http:
  addr: ${host}
${auth}${extra}`;
}

/** The registry takes bcrypt alone; 4 is its cheapest cost. */
function htpasswd(users: Readonly<Record<string, string>>): string {
  return Object.entries(users)
    .map(([name, password]) =>
      execFileSync('htpasswd', ['-nbB', '-C', '4', name, password], { encoding: 'utf8' }).trim(),
    )
    .join('\n');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function answers(host: string): Promise<void> {
  const deadline = Date.now() + START_MILLISECONDS;
  for (;;) {
    try {
      const response = await fetch(`http://${host}/v2/`);
      await response.arrayBuffer();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await delay(25);
    }
  }
}
