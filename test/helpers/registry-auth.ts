/** How the fake registry asks who is there: basic credentials, or tokens from its own `/token`. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface AuthOptions {
  readonly kind: 'basic' | 'token';
  readonly users?: Readonly<Record<string, string>>;
  readonly identityTokens?: readonly string[];
  /** Whether everyone may pull. */
  readonly anonymousPull?: boolean;
  /** Where the token server is said to be; the registry itself by default. */
  readonly realm?: string;
  readonly expiresIn?: number;
  /** Grants something else than what was asked for. */
  readonly grant?: (scopes: readonly string[]) => readonly string[];
  /** Filled by the token server; tests may empty it to make every token invalid. */
  readonly tokens?: Map<string, readonly string[]>;
}

const defaultTokens = new WeakMap<AuthOptions, Map<string, readonly string[]>>();

/** Whether the request may go on; answers it otherwise, and answers the token server's requests. */
export function authorize(
  auth: AuthOptions,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): boolean {
  if (auth.kind === 'basic')
    return hasPassword(auth, request) || challenge(response, 'Basic realm="fake"');
  if (url.pathname === '/token') {
    void issueToken(auth, request, response, url);
    return false;
  }
  const wanted = scopesOf(request, url);
  const granted = tokensOf(auth).get(request.headers.authorization?.replace(/^Bearer /, '') ?? '');
  if (granted !== undefined && wanted.every((scope) => grants(granted, scope))) return true;
  const realm = auth.realm ?? `http://${request.headers.host}/token`;
  const error = granted === undefined ? '' : ',error="insufficient_scope"';
  return challenge(
    response,
    `Bearer realm="${realm}",service="fake",scope="${wanted.join(' ')}"${error}`,
  );
}

export function tokensOf(auth: AuthOptions): Map<string, readonly string[]> {
  if (auth.tokens) return auth.tokens;
  const made = defaultTokens.get(auth) ?? new Map<string, readonly string[]>();
  defaultTokens.set(auth, made);
  return made;
}

function challenge(response: ServerResponse, value: string): false {
  response.writeHead(401, { 'www-authenticate': value, 'content-type': 'application/json' });
  response.end(
    JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] }),
  );
  return false;
}

function hasPassword(auth: AuthOptions, request: IncomingMessage): boolean {
  const [scheme, value] = (request.headers.authorization ?? '').split(' ');
  if (scheme !== 'Basic' || value === undefined) return false;
  const [user, ...password] = Buffer.from(value, 'base64').toString().split(':');
  return auth.users?.[user!] === password.join(':');
}

async function issueToken(
  auth: AuthOptions,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  const form = new URLSearchParams(request.method === 'POST' ? await bodyText(request) : '');
  const scopes =
    request.method === 'POST'
      ? (form.get('scope') ?? '').split(' ').filter(Boolean)
      : url.searchParams.getAll('scope');
  const known =
    request.method === 'POST'
      ? (auth.identityTokens ?? []).includes(form.get('refresh_token') ?? '')
      : hasPassword(auth, request);
  const anonymous =
    request.headers.authorization === undefined && request.method === 'GET' && auth.anonymousPull;
  if (!known && !anonymous) {
    response.writeHead(401, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({
        errors: [
          { code: 'UNAUTHORIZED', message: `no such user: ${request.headers.authorization}` },
        ],
      }),
    );
    return;
  }
  const asked = known ? scopes : scopes.map((scope) => scope.replace(/:[^:]*$/, ':pull'));
  const token = randomBytes(8).toString('hex');
  tokensOf(auth).set(token, auth.grant?.(asked) ?? asked);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ token, expires_in: auth.expiresIn ?? 300 }));
}

function scopesOf(request: IncomingMessage, url: URL): string[] {
  const repository = /^\/v2\/(.+)\/(?:blobs|manifests|tags|referrers)\//.exec(url.pathname)?.[1];
  if (repository === undefined) return [];
  const writes = request.method !== 'GET' && request.method !== 'HEAD';
  return [`repository:${repository}:${writes ? 'pull,push' : 'pull'}`];
}

function grants(granted: readonly string[], scope: string): boolean {
  const [, name, actions] = /^repository:(.+):(.*)$/.exec(scope)!;
  return granted.some((given) => {
    const [, ownName, own] = /^repository:(.+):(.*)$/.exec(given) ?? [];
    return (
      ownName === name && actions!.split(',').every((action) => own!.split(',').includes(action))
    );
  });
}

async function bodyText(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}
