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
  /** What it was asked so far, as `METHOD PATH STATUS`, without queries. */
  requests(): readonly string[];
}

export interface DockerRegistryOptions {
  /** Asks for these by HTTP basic authentication. */
  readonly credentials?: { readonly username: string; readonly password: string };
  /** Files: speaks TLS with these. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** A file: only clients with a certificate of this authority. */
  readonly clientAuthority?: string;
}

export async function startDockerRegistry(
  options: DockerRegistryOptions = {},
): Promise<DockerRegistry> {
  const directory = mkdtempSync(join(tmpdir(), 'tsbuild-registry-'));
  const file = join(directory, 'config.yml');
  writeFileSync(file, configuration(directory, options));
  const child = spawn('docker-registry', ['serve', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let requests = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    requests += text;
  });
  const stop = async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const port = await listeningPort(child);
    child.stderr!.resume();
    return {
      host: `127.0.0.1:${port}`,
      requests: () => parseAccessLog(requests),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function configuration(
  directory: string,
  { credentials, tls, clientAuthority }: DockerRegistryOptions,
): string {
  const clients = clientAuthority ? `    clientcas: [${clientAuthority}]\n` : '';
  const secure = tls ? `  tls:\n    certificate: ${tls.cert}\n    key: ${tls.key}\n${clients}` : '';
  let auth = '';
  if (credentials !== undefined) {
    const { username, password } = credentials;
    const passwords = join(directory, 'htpasswd');
    // It takes bcrypt alone; 4 is its cheapest cost, which is paid with each request.
    writeFileSync(passwords, execFileSync('htpasswd', ['-nbB', '-C', '4', username, password]));
    auth = `auth:\n  htpasswd:\n    realm: test\n    path: ${passwords}\n`;
  }
  return `version: 0.1
log:
  accesslog:
    disabled: false
storage:
  filesystem:
    rootdirectory: ${join(directory, 'storage')}
  delete:
    enabled: true
http:
  addr: 127.0.0.1:0
${secure}${auth}`;
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

/** Apache's combined format, on stdout. */
function parseAccessLog(text: string): string[] {
  const line = /"(GET|HEAD|POST|PUT|PATCH|DELETE) ([^ ?"]+)[^"]*" (\d{3})/g;
  return [...text.matchAll(line)].map(([, method, path, status]) => `${method} ${path} ${status}`);
}
