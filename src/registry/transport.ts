/**
 * One HTTP exchange over a pool of connections. Each origin has two pools, for reading and for writing: copying within
 * one registry holds a download open while the upload that drinks it waits for a connection, and with a single bounded
 * pool, as many such copies as there are connections would wait for each other for ever.
 */
import type { Readable } from 'node:stream';
import { rootCertificates } from 'node:tls';
import type { buildConnector as Connectors, Dispatcher } from 'undici';
import { isLoopback, names } from './endpoint.ts';
import { broken, isCertificateAlert } from './error.ts';
import type { Exchange, HttpBody, HttpRequest } from './http.ts';
import { Agent, buildConnector, EnvHttpProxyAgent } from './undici.ts';
import { watchedBody } from './watched-body.ts';

export interface TlsOptions {
  /** PEM; added to the authorities that Node knows. */
  readonly ca?: string;
  /** PEM; shown to this host only. */
  readonly cert?: string;
  readonly key?: string;
}

/** As the environment variables of these names have it. Loopback hosts are never proxied. */
export interface ProxyOptions {
  readonly http?: string;
  readonly https?: string;
  readonly no?: string;
}

export interface TransportOptions {
  readonly userAgent: string;
  readonly insecure?: readonly string[];
  readonly tls?: (host: string) => TlsOptions | undefined;
  readonly proxy?: ProxyOptions;
  readonly connections?: number;
  readonly stallMilliseconds?: number;
}

export interface Transport {
  readonly send: Exchange;
  close(): Promise<void>;
}

const CONNECT_MILLISECONDS = 30_000;
export const STALL_MILLISECONDS = 60_000;
const CONNECTIONS = 6;

export function createTransport(options: TransportOptions): Transport {
  const pools = new Map<string, Pool>();
  /** Where something has answered before: what is refused there now may be taken again in a moment. */
  const reached = new Set<string>();
  const stall = options.stallMilliseconds ?? STALL_MILLISECONDS;

  const poolFor = (request: HttpRequest): Pool => {
    const key = `${request.body === undefined ? 'read' : 'write'} ${request.url.origin}`;
    const known = pools.get(key);
    if (known !== undefined) return known;
    const made = createPool(request.url, options);
    pools.set(key, made);
    return made;
  };

  const send: Exchange = async (request) => {
    request.signal?.throwIfAborted();
    const sending = watchedBody(request.body, stall);
    const pool = poolFor(request);
    try {
      const answer = await pool.dispatcher.request({
        origin: request.url.origin,
        path: request.url.pathname + request.url.search,
        method: request.method,
        headers: {
          'user-agent': options.userAgent,
          ...sizeHeader(request.body),
          ...request.headers,
        },
        body: sending.bytes as Readable | null,
        headersTimeout: request.answerMilliseconds ?? stall,
        bodyTimeout: stall,
        signal: eitherSignal(request.signal, sending.signal) ?? null,
      });
      reached.add(request.url.origin);
      delete pool.alert;
      // Whoever reads it learns of its failure; one that is dropped unread must not take the process down.
      answer.body.on('error', () => {});
      return {
        status: answer.statusCode,
        url: request.url,
        headers: answer.headers,
        body: answer.body,
      };
    } catch (cause) {
      request.signal?.throwIfAborted();
      if (sending.sourceFailure !== undefined) throw sending.sourceFailure;
      throw broken(request, pool.alert ?? cause, { reached: reached.has(request.url.origin) });
    }
  };
  const close = async (): Promise<void> => {
    await Promise.all([...pools.values()].map((pool) => pool.dispatcher.destroy()));
  };
  return { send, close };
}

/** Connections to one origin. */
interface Pool {
  readonly dispatcher: Dispatcher;
  /** Why the peer closes them: it does not like what we show of ourselves, which TLS 1.3 tells after the connecting. */
  alert?: Error;
}

function createPool(url: URL, options: TransportOptions): Pool {
  const tls = options.tls?.(url.host);
  const connect = {
    timeout: CONNECT_MILLISECONDS,
    rejectUnauthorized: !isInsecure(url, options.insecure ?? [], tls),
    ...(tls?.ca === undefined ? {} : { ca: [...rootCertificates, tls.ca] }),
    ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls?.key === undefined ? {} : { key: tls.key }),
  };
  const common = { connections: options.connections ?? CONNECTIONS, connect, pipelining: 1 };
  const { http, https, no = '' } = options.proxy ?? {};
  const proxy = url.protocol === 'https:' ? https : http;
  if (!proxy || isLoopback(url.hostname)) {
    const told: { alert?: Error } = {};
    const telling = tellingAlerts(connect, (alert) => {
      told.alert = alert;
    });
    return Object.assign(told, { dispatcher: new Agent({ ...common, connect: telling }) });
  }
  const dispatcher = new EnvHttpProxyAgent({
    ...common,
    requestTls: connect,
    // Proxies let CONNECT through to port 443 alone.
    proxyTunnel: false,
    // All three, or it looks at the environment of the process.
    httpProxy: proxy,
    httpsProxy: proxy,
    noProxy: no,
  });
  return { dispatcher };
}

/** Of a TLS alert, undici says only that the other side has closed. */
function tellingAlerts(
  options: Connectors.BuildOptions,
  tell: (alert: Error) => void,
): Connectors.connector {
  const connect = buildConnector(options);
  return (target, done) =>
    connect(target, (...[error, socket]: Parameters<Connectors.Callback>) => {
      socket?.prependListener('error', (cause: NodeJS.ErrnoException) => {
        if (isCertificateAlert(cause.code)) tell(cause);
      });
      if (error === null) done(null, socket);
      else done(error, null);
    });
}

/**
 * Loopback is trusted with any certificate, as docker does: who can answer there is on this machine already. Unless somebody
 * has said which authority to believe.
 */
function isInsecure(url: URL, insecure: readonly string[], tls: TlsOptions | undefined): boolean {
  return names(insecure, url) || (isLoopback(url.hostname) && tls?.ca === undefined);
}

function sizeHeader(body: HttpBody | undefined): Record<string, string> {
  if (body === undefined) return {};
  const size = body instanceof Uint8Array ? body.byteLength : body.size;
  return size === undefined ? {} : { 'content-length': String(size) };
}

function eitherSignal(
  a: AbortSignal | undefined,
  b: AbortSignal | undefined,
): AbortSignal | undefined {
  return a !== undefined && b !== undefined ? AbortSignal.any([a, b]) : (a ?? b);
}
