/**
 * A registry in this process, for tests: speaks the distribution spec from memory, asks for basic credentials or tokens,
 * keeps a log of what it was asked, and misbehaves on demand (registry-faults.ts).
 */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type AuthOptions, authorize } from './registry-auth.ts';
import { answer, type Repositories } from './registry-endpoints.ts';
import { type Fault, takeFault } from './registry-faults.ts';

export interface FakeRegistryOptions {
  readonly auth?: AuthOptions;
  /** `OCI-Chunk-Min-Length` of uploads. */
  readonly minimumChunk?: number;
  /** Largest body of one request, as a proxy would have it; 413 above. */
  readonly maximumBody?: number;
  readonly mount?: boolean;
  /** Answers every request before the registry does. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export interface LoggedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

export interface FakeRegistry extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly host: string;
  readonly repositories: Repositories;
  readonly requests: readonly LoggedRequest[];
  /** `PUT /v2/app/manifests/1`, without the query. */
  log(filter?: (request: LoggedRequest) => boolean): readonly string[];
  clearLog(): void;
  /** Each fault happens once for each time it is added, in order, to the first request that it fits. */
  readonly faults: Fault[];
}

export async function startFakeRegistry(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const repositories: Repositories = new Map();
  const requests: LoggedRequest[] = [];
  const faults: Fault[] = [];
  const server = await listen((request, response) => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    requests.push({
      method: request.method ?? '',
      path: url.pathname + url.search,
      headers: request.headers,
    });
    // What a client that broke off does to the connection is no failure of the test.
    request.on('error', () => {});
    response.on('error', () => {});
    if (options.intercept?.(request, response)) return;
    const fault = takeFault(faults, request, url);
    if (fault?.before?.(request, response)) return;
    if (options.auth && !authorize(options.auth, request, response, url)) return;
    answer({ repositories, options, request, response: fault?.wrap?.(response) ?? response, url });
  });
  return {
    host: server.host,
    repositories,
    requests,
    faults,
    log: (filter = () => true) =>
      requests.filter(filter).map(({ method, path }) => `${method} ${path.split('?')[0]}`),
    clearLog: () => void requests.splice(0),
    [Symbol.asyncDispose]: server.close,
  };
}

/** An HTTP server on a free port of this machine; closing it cuts what is still open. */
export async function listen(
  listener: RequestListener,
): Promise<{ host: string; port: number; close: () => Promise<void> }> {
  const server = createServer({ keepAlive: true }, listener);
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { host: `127.0.0.1:${port}`, port, close };
}
