/**
 * Proving who we are to one registry. What it wants is learnt from its first refusal: basic credentials with each request,
 * or a bearer token from a token server, for the scopes at hand (distribution's "token authentication": RFC 6750 with a
 * GET, or with OAuth2's POST for an identity token). Tokens are kept until they expire, and asked for once at a time.
 */
import { TsbuildError } from '../errors.ts';
import { abortable } from './abortable.ts';
import type { Challenge } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import { broken, nonsense, refused } from './error.ts';
import { type Exchange, type HttpRequest, readBounded } from './http.ts';
import type { Clock } from './retry.ts';
import { covers } from './scope.ts';

export interface AuthOptions {
  readonly registry: string;
  readonly credentials: () => Promise<Credentials | undefined>;
  /** Follows redirects; adds no credentials of its own. */
  readonly send: Exchange;
  readonly clock: Clock;
}

export interface Authenticator {
  /** The `Authorization` for a request within `scopes`; `undefined` as long as the registry has asked for none. */
  authorization(scopes: readonly string[], signal?: AbortSignal): Promise<string | undefined>;
  /**
   * The registry refused. Remembers what it wants, forgets the token that it did not take, and says whether the request
   * is worth another try.
   */
  refused(challenges: readonly Challenge[], rejected: string | undefined): Promise<boolean>;
}

interface Token {
  readonly header: string;
  readonly scopes: ReadonlySet<string>;
  readonly expires: number;
}

const DEFAULT_LIFE_SECONDS = 60;
const MAX_TOKEN_ANSWER = 1024 * 1024;
const CLIENT_ID = 'tsbuild';

export function createAuthenticator(options: AuthOptions): Authenticator {
  let challenge: Challenge | undefined;
  let tokens: Token[] = [];
  const pending = new Map<string, Promise<Token>>();

  /** One request for all who wait for the same; it belongs to none of them, so none can abort it. */
  const tokenFor = (bearer: Challenge, scopes: readonly string[]): Promise<Token> => {
    const key = [...scopes].sort().join(' ');
    const asked = pending.get(key);
    if (asked !== undefined) return asked;
    const asking = requestToken(options, bearer, scopes)
      .then((token) => {
        tokens.push(token);
        return token;
      })
      .finally(() => pending.delete(key));
    pending.set(key, asking);
    return asking;
  };

  return {
    async authorization(scopes, signal) {
      if (challenge === undefined) return undefined;
      if (challenge.scheme === 'basic') return basic(await options.credentials());
      const now = options.clock.now();
      tokens = tokens.filter(({ expires }) => expires > now);
      const kept = tokens.find((token) => scopes.every((scope) => covers(token.scopes, scope)));
      return (kept ?? (await abortable(tokenFor(challenge, scopes), signal))).header;
    },
    async refused(challenges, rejected) {
      const wanted =
        challenges.find(({ scheme }) => scheme === 'bearer') ??
        challenges.find(({ scheme }) => scheme === 'basic');
      if (wanted === undefined) return false;
      challenge = wanted;
      tokens = tokens.filter(({ header }) => header !== rejected);
      if (wanted.scheme === 'bearer') return true;
      return rejected === undefined && basic(await options.credentials()) !== undefined;
    },
  };
}

function basic(credentials: Credentials | undefined): string | undefined {
  if (credentials === undefined || !('password' in credentials)) return undefined;
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`, 'utf8').toString('base64')}`;
}

async function requestToken(
  options: AuthOptions,
  challenge: Challenge,
  scopes: readonly string[],
): Promise<Token> {
  const credentials = await options.credentials();
  const allowed = new Set(scopes);
  if (credentials !== undefined && 'registryToken' in credentials) {
    return {
      header: `Bearer ${credentials.registryToken}`,
      scopes: allowed,
      expires: Number.POSITIVE_INFINITY,
    };
  }
  const request = tokenRequest(options, challenge, scopes, credentials);
  const asked = options.clock.now();
  const answer = parseToken(request, await exchange(options, request));
  // Not to its last moment: the request that carries it needs time to arrive.
  const expires = asked + (answer.seconds ?? DEFAULT_LIFE_SECONDS) * 1000 * 0.85;
  return { header: `Bearer ${answer.token}`, scopes: allowed, expires };
}

function tokenRequest(
  options: AuthOptions,
  challenge: Challenge,
  scopes: readonly string[],
  credentials: Credentials | undefined,
): HttpRequest {
  const url = realmOf(options.registry, challenge);
  const { service } = challenge.parameters;
  if (credentials !== undefined && 'identityToken' in credentials) {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: CLIENT_ID,
      refresh_token: credentials.identityToken,
    });
    if (service !== undefined) form.set('service', service);
    if (scopes.length > 0) form.set('scope', scopes.join(' '));
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    };
    return { url, method: 'POST', headers, body: Buffer.from(form.toString()) };
  }
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  const authorization = basic(credentials);
  if (credentials !== undefined && 'password' in credentials)
    url.searchParams.set('account', credentials.username);
  return {
    url,
    method: 'GET',
    headers: { accept: 'application/json', ...(authorization ? { authorization } : {}) },
  };
}

function realmOf(registry: string, challenge: Challenge): URL {
  const { realm } = challenge.parameters;
  if (realm === undefined || !/^https?:\/\//i.test(realm) || !URL.canParse(realm)) {
    throw new TsbuildError(
      'REGISTRY',
      `registry ${registry} names no token server that can be asked`,
    );
  }
  const url = new URL(realm);
  url.username = '';
  url.password = '';
  return url;
}

async function exchange(options: AuthOptions, request: HttpRequest): Promise<Buffer> {
  const response = await options.send(request);
  if (response.status !== 200) throw await refused(options.registry, request, response);
  try {
    return await readBounded(response.body, MAX_TOKEN_ANSWER);
  } catch (cause) {
    throw broken(request, cause);
  }
}

function parseToken(
  request: HttpRequest,
  body: Buffer,
): { token: string; seconds: number | undefined } {
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch {
    // The cause would quote the answer, and with it perhaps a token.
    throw nonsense(request, 'the token server did not answer with JSON');
  }
  const {
    token,
    access_token: access,
    expires_in: seconds,
  } = (json ?? {}) as Record<string, unknown>;
  const value = typeof token === 'string' && token !== '' ? token : access;
  // Visible ASCII only, or it would not stay within its header.
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value))
    throw nonsense(request, 'the token server answered without a token');
  return {
    token: value,
    seconds: typeof seconds === 'number' && seconds > 0 ? seconds : undefined,
  };
}
