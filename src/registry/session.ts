/**
 * A session with one registry host: finds out whether it speaks https or http, proves who we are when asked, repeats
 * what may succeed the next time, and turns every answer that was not expected into an error that says what to do.
 */
import { createAuthenticator } from './auth.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Keychain } from './credentials.ts';
import { candidates } from './endpoint.ts';
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
import type { Transport } from './transport.ts';
import { parseWarning } from './warning.ts';

export interface SessionOptions {
  readonly registry: string;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly warn: (message: string) => void;
  readonly keychain?: Keychain;
  readonly insecure?: readonly string[];
  readonly retry?: Partial<RetryLimits>;
  readonly commitMilliseconds?: number;
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
  /** Makes the call until it succeeds, fails for good or has failed too often. */
  call(call: Call): Promise<HttpResponse>;
  /** Makes the call once. */
  callOnce(call: Call): Promise<HttpResponse>;
}

const COMMIT_MILLISECONDS = 15 * 60_000;

export function createSession(options: SessionOptions): Session {
  const { registry, clock, transport } = options;
  const follow = (request: HttpRequest) => sendFollowing(transport.send, request);
  const policy: RetryPolicy = {
    ...defaultRetryLimits,
    ...options.retry,
    clock,
    onRetry: (error, wait) => {
      if (error instanceof RegistryError && error.code === 'REGISTRY_RATE_LIMIT') {
        options.warn(
          `${registry} limits the rate of requests; waiting ${Math.ceil(wait / 1000)} s`,
        );
      }
    },
  };
  const credentials = memo(async () => options.keychain?.credentials(registry));
  const auth = createAuthenticator({ registry, credentials, send: follow, clock });
  const root = memo(() =>
    findRoot(options, follow, (challenges) => auth.refused(challenges, undefined)),
  );

  const callOnce = async (call: Call): Promise<HttpResponse> => {
    const request = await requestFor(call);
    const response = await authorized(request, call.scopes);
    for (const value of headers(response, 'warning')) {
      const text = parseWarning(value);
      if (text !== undefined) options.warn(`${registry}: ${text}`);
    }
    if (call.expect.includes(response.status)) return response;
    throw await refused(
      registry,
      request,
      response,
      parseRetryAfter(header(response, 'retry-after'), clock.now()),
    );
  };

  const requestFor = async (call: Call): Promise<HttpRequest> => {
    const url = typeof call.url === 'string' ? new URL(call.url, await root()) : call.url;
    const { method, headers, body, signal, answerMilliseconds } = call;
    return {
      method,
      url,
      ...(headers && { headers }),
      ...(body && { body }),
      ...(signal && { signal }),
      ...(answerMilliseconds && { answerMilliseconds }),
    };
  };

  /** Adds what proves who we are, if the URL is the registry's own and it has asked; a first refusal is its way to ask. */
  const authorized = async (
    request: HttpRequest,
    scopes: readonly string[],
  ): Promise<HttpResponse> => {
    const own = request.url.origin === (await root()).origin;
    if (!own) return follow(request);
    const attempt = async (authorization: string | undefined) =>
      follow(
        authorization === undefined
          ? request
          : { ...request, headers: { ...request.headers, authorization } },
      );
    const first = await auth.authorization(scopes, request.signal);
    const response = await attempt(first);
    // What a host asks for to which we were redirected is not the registry's word.
    if (response.status !== 401 || response.url.origin !== request.url.origin) return response;
    const challenges = parseChallenges(headers(response, 'www-authenticate'));
    if (!(await auth.refused(challenges, first))) return response;
    await discard(response);
    return attempt(await auth.authorization(scopes, request.signal));
  };

  return {
    registry,
    policy,
    commitMilliseconds: options.commitMilliseconds ?? COMMIT_MILLISECONDS,
    callOnce,
    call: (call) => withRetries(policy, () => callOnce(call), call.signal),
  };
}

/**
 * The root URL of the registry. Where more than one is possible, the one that answers as a registry does; the question
 * carries no credentials, and what it is answered tells how to authorize.
 */
async function findRoot(
  options: SessionOptions,
  follow: Exchange,
  learn: (challenges: readonly Challenge[]) => Promise<unknown>,
): Promise<URL> {
  const [first, ...others] = candidates(options.registry, options.insecure ?? []);
  if (others.length === 0) return first!;
  let failure: unknown;
  for (const root of [first!, ...others]) {
    try {
      const response = await follow({ method: 'GET', url: new URL('v2/', root) });
      await discard(response);
      // What a TLS server answers to plain http, where it answers at all.
      if (root.protocol === 'http:' && response.status === 400) continue;
      if (response.status === 401)
        await learn(parseChallenges(headers(response, 'www-authenticate')));
      return root;
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure === undefined) return first!;
  throw failure;
}

/** Calls `make` once and remembers its result, but not its failure. */
function memo<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
