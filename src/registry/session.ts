/**
 * A session with one registry host: finds out whether it speaks https or http, proves who we are when asked, repeats
 * what may succeed the next time, and turns every answer that was not expected into an error that says what to do.
 */
import { abortable } from './abortable.ts';
import { type Authenticator, type CredentialSource, createAuthenticator } from './auth.ts';
import { parseChallenges } from './challenge.ts';
import type { Keychain } from './credentials.ts';
import { candidates, registryHost, type SpecialHosts } from './endpoint.ts';
import { RegistryError, refused } from './error.ts';
import {
  discard,
  type Exchange,
  type HttpBody,
  type HttpRequest,
  type HttpResponse,
  header,
  headers,
} from './http.ts';
import { sendFollowing } from './redirect.ts';
import {
  type Clock,
  defaultRetryLimits,
  parseRetryAfter,
  type RetryLimits,
  type RetryPolicy,
  withRetries,
} from './retry.ts';
import { STALL_MILLISECONDS, type TlsOptions, type Transport } from './transport.ts';
import { parseWarning } from './warning.ts';

export interface SessionOptions extends SpecialHosts {
  readonly registry: string;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly warn: (message: string) => void;
  readonly keychain?: Keychain;
  readonly tls?: (host: string) => TlsOptions | undefined;
  readonly retry?: Partial<RetryLimits>;
  readonly commitMilliseconds?: number;
  readonly stallMilliseconds?: number;
}

export interface Call {
  readonly method: HttpRequest['method'];
  /** Below the registry's root (`v2/…`), or the URL that it gave for an upload. */
  readonly url: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: HttpBody;
  /** What a token must allow for this. */
  readonly scopes: readonly string[];
  /** The statuses that are answers; any other is an error. */
  readonly expect: readonly number[];
  readonly signal?: AbortSignal;
  readonly answerMilliseconds?: number;
}

export interface Session {
  readonly registry: string;
  /** For callers who repeat at their own level. */
  readonly policy: RetryPolicy;
  /** How long a registry may take to commit what it received. */
  readonly commitMilliseconds: number;
  /** Silence after which a connection counts as broken. */
  readonly stallMilliseconds: number;
  /** Makes the call until it succeeds, fails for good or has failed too often. */
  call(call: Call): Promise<HttpResponse>;
  /** Makes the call once. */
  callOnce(call: Call): Promise<HttpResponse>;
}

const COMMIT_MILLISECONDS = 15 * 60_000;

export function createSession(options: SessionOptions): Session {
  const { registry, clock, transport, warn } = options;
  const follow: Exchange = (request) => sendFollowing(transport.send, request);
  const found = memo(async () => options.keychain?.credentials(registry));
  const credentials: CredentialSource = (again) => {
    if (again) found.forget();
    return found();
  };
  const auth = createAuthenticator({ registry, credentials, send: follow, clock });
  const root = memo(() => findRoot(options, follow, auth));
  const policy: RetryPolicy = {
    ...defaultRetryLimits,
    ...options.retry,
    clock,
    onRetry: (error, wait) => tellOfRateLimit(registry, error, wait, warn),
  };

  const callOnce = async (call: Call): Promise<HttpResponse> => {
    const base = await abortable(root(), call.signal);
    const request = { ...call, url: new URL(call.url, base) };
    const own = request.url.origin === base.origin;
    const response = await (own ? sendAuthorized(follow, auth, request) : follow(request));
    for (const value of headers(response, 'warning')) {
      const text = parseWarning(value);
      if (text !== undefined) warn(`${registry}: ${text}`);
    }
    if (call.expect.includes(response.status)) return response;
    const wait = parseRetryAfter(header(response, 'retry-after'), clock.now());
    throw await refused(registry, request, response, wait);
  };
  return {
    registry,
    policy,
    commitMilliseconds: options.commitMilliseconds ?? COMMIT_MILLISECONDS,
    stallMilliseconds: options.stallMilliseconds ?? STALL_MILLISECONDS,
    callOnce,
    call: (call) => withRetries(policy, () => callOnce(call), call.signal),
  };
}

/** Adds what proves who we are, once the registry has asked for it; its first refusal is how it asks. */
async function sendAuthorized(
  follow: Exchange,
  auth: Authenticator,
  request: HttpRequest & Pick<Call, 'scopes'>,
): Promise<HttpResponse> {
  const { scopes, signal } = request;
  const attempt = (authorization: string | undefined) =>
    follow(
      authorization === undefined
        ? request
        : { ...request, headers: { ...request.headers, authorization } },
    );
  const authorization = await auth.authorization(scopes, signal);
  const response = await attempt(authorization);
  // What a host asks for to which we were redirected is not the registry's word.
  if (response.status !== 401 || response.url.origin !== request.url.origin) return response;
  const challenges = parseChallenges(headers(response, 'www-authenticate'));
  if (!(await auth.refused(challenges, response.url, authorization))) return response;
  await discard(response);
  return attempt(await auth.authorization(scopes, signal));
}

/**
 * The root URL of the registry. Where more than one is possible, the one that answers as a registry does; the question
 * carries no credentials, and what it is answered tells how to authorize.
 */
async function findRoot(
  options: SessionOptions,
  follow: Exchange,
  auth: Authenticator,
): Promise<URL> {
  const isTrusted = options.tls?.(registryHost(options.registry))?.ca !== undefined;
  const [first, ...others] = candidates(options.registry, options, isTrusted);
  if (others.length === 0) return first!;
  const failures: unknown[] = [];
  let doubtful: URL | undefined;
  for (const root of [first!, ...others]) {
    try {
      const response = await follow({ method: 'GET', url: new URL('v2/', root) });
      await discard(response);
      const challenges = parseChallenges(headers(response, 'www-authenticate'));
      if (response.status === 401) await auth.refused(challenges, response.url);
      // What a TLS server answers to plain http, where it answers at all.
      if (root.protocol !== 'http:' || response.status !== 400) return root;
      doubtful = root;
    } catch (error) {
      failures.push(error);
    }
  }
  if (doubtful === undefined) throw failures[0];
  return doubtful;
}

function tellOfRateLimit(
  registry: string,
  error: unknown,
  wait: number,
  warn: (message: string) => void,
): void {
  if (!(error instanceof RegistryError) || error.code !== 'REGISTRY_RATE_LIMIT') return;
  warn(`${registry} limits the rate of requests; waiting ${Math.ceil(wait / 1000)} s`);
}

/** Calls `make` once and remembers its result, but not its failure, until it is to be forgotten. */
function memo<T>(make: () => Promise<T>): (() => Promise<T>) & { forget(): void } {
  let made: Promise<T> | undefined;
  const forget = () => {
    made = undefined;
  };
  const get = () => {
    made ??= make().catch((error: unknown) => {
      forget();
      throw error;
    });
    return made;
  };
  return Object.assign(get, { forget });
}
