/**
 * Proving who we are to one registry. What it wants is learnt from its first refusal: basic credentials with each request,
 * or a bearer token from a token server, for the scopes at hand (distribution's "token authentication": RFC 6750 with a
 * GET, or with OAuth2's POST for an identity token). Tokens are kept until they expire, and asked for once at a time.
 */
import { isTsbuildError, TsbuildError } from '../errors.ts';
import { abortable } from './abortable.ts';
import type { Challenge } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import { isLoopback } from './endpoint.ts';
import { broken, nonsense, refused } from './error.ts';
import { discard, type Exchange, type HttpRequest, readBounded } from './http.ts';
import { resolveLocation } from './redirect.ts';
import type { Clock } from './retry.ts';
import { covers } from './scope.ts';

export interface AuthOptions {
  readonly registry: string;
  readonly credentials: CredentialSource;
  /** Follows redirects; adds no credentials of its own. */
  readonly send: Exchange;
  readonly clock: Clock;
}

/** What was found for the registry is kept; `again` looks anew, as what helpers give may have expired in a long build. */
export type CredentialSource = (again?: 'again') => Promise<Credentials | undefined>;

export interface Authenticator {
  /** The `Authorization` for a request within `scopes`; `undefined` as long as the registry has asked for none. */
  authorization(scopes: readonly string[], signal?: AbortSignal): Promise<string | undefined>;
  /**
   * The registry refused. Remembers what it wants, forgets the token that it did not take, and says whether the request
   * is worth another try. `from` is where it refused.
   */
  refused(challenges: readonly Challenge[], from: URL, rejected?: string): Promise<boolean>;
}

/** What a registry asked for, and where. */
type Asked = Challenge & { readonly from: URL };

interface Token {
  readonly header: string;
  readonly scopes: ReadonlySet<string>;
  readonly expires: number;
}

/** Of a token server. */
interface Answer {
  readonly token: string;
  readonly seconds: number | undefined;
}

const DEFAULT_LIFE_SECONDS = 60;
const MAX_TOKEN_ANSWER = 1024 * 1024;
const CLIENT_ID = 'tsbuild';

export function createAuthenticator(options: AuthOptions): Authenticator {
  let challenge: Asked | undefined;
  let tokens: Token[] = [];
  const pending = new Map<string, Promise<Token>>();

  /** One request for all who wait for the same; it belongs to none of them, so none can abort it. */
  const tokenFor = (bearer: Asked, scopes: readonly string[]): Promise<Token> => {
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
    async refused(challenges, from, rejected) {
      const wanted =
        challenges.find(({ scheme }) => scheme === 'bearer') ??
        challenges.find(({ scheme }) => scheme === 'basic');
      if (wanted === undefined) return false;
      challenge = { ...wanted, from };
      tokens = tokens.filter(({ header }) => header !== rejected);
      if (wanted.scheme === 'bearer') return true;
      const known = basic(await options.credentials());
      // Another call may have found new ones already.
      if (known === undefined || known !== rejected) return known !== undefined;
      const found = basic(await options.credentials('again'));
      return found !== undefined && found !== rejected;
    },
  };
}

function basic(credentials: Credentials | undefined): string | undefined {
  if (credentials === undefined || !('password' in credentials)) return undefined;
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`, 'utf8').toString('base64')}`;
}

async function requestToken(
  options: AuthOptions,
  challenge: Asked,
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
  const asked = options.clock.now();
  const answer = await exchange(options, challenge, scopes, credentials);
  // Not to its last moment: the request that carries it needs time to arrive.
  const expires = asked + (answer.seconds ?? DEFAULT_LIFE_SECONDS) * 1000 * 0.85;
  return { header: `Bearer ${answer.token}`, scopes: allowed, expires };
}

function tokenRequest(
  options: AuthOptions,
  challenge: Asked,
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
    const body = Buffer.from(form.toString());
    return { url, method: 'POST', headers, body, isBodyPrivate: true };
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

/** Where a registry that is asked over https sends us, the way must be as safe; on this machine any is. */
function realmOf(registry: string, { parameters: { realm }, from }: Asked): URL {
  if (realm === undefined || !/^https?:\/\//i.test(realm) || !URL.canParse(realm)) {
    throw new TsbuildError(
      'REGISTRY',
      `registry ${registry} names no token server that can be asked`,
    );
  }
  const base = isLoopback(new URL(realm).hostname) ? new URL(realm) : from;
  return resolveLocation({ method: 'GET', url: base }, realm);
}

/** Credentials that the token server refuses are looked for once more. */
async function exchange(
  options: AuthOptions,
  challenge: Asked,
  scopes: readonly string[],
  credentials: Credentials | undefined,
  isLast = credentials === undefined,
): Promise<Answer> {
  const request = tokenRequest(options, challenge, scopes, credentials);
  const response = await options.send(request);
  if (response.status === 401 && !isLast) {
    const found = await options.credentials('again');
    if (found !== undefined && JSON.stringify(found) !== JSON.stringify(credentials)) {
      await discard(response);
      return exchange(options, challenge, scopes, found, true);
    }
  }
  if (response.status !== 200) throw await refused(options.registry, request, response);
  try {
    return parseToken(request, await readBounded(response.body, MAX_TOKEN_ANSWER));
  } catch (cause) {
    throw isTsbuildError(cause) ? cause : broken(request, cause);
  }
}

function parseToken(request: HttpRequest, body: Buffer): Answer {
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
