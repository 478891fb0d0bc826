/**
 * Redirects, followed by hand. Registries hand out blobs through storage hosts with signed URLs; whatever the request
 * carries to prove who we are is for the registry alone, and some storage hosts refuse a request that carries it.
 */
import { nonsense } from './error.ts';
import { discard, type Exchange, type HttpRequest, type HttpResponse, header } from './http.ts';

const MAX_REDIRECTS = 10;
/** Headers that belong to the origin they were made for. */
const PRIVATE_HEADERS = new Set(['authorization', 'cookie', 'proxy-authorization']);

/** Sends, and follows where the answer points. The answer's `url` says where it ended. */
export async function sendFollowing(send: Exchange, request: HttpRequest): Promise<HttpResponse> {
  let current = request;
  for (let hops = 0; ; hops += 1) {
    const response = await send(current);
    const location = header(response, 'location');
    if (!isRedirect(response.status) || location === undefined) return response;
    await discard(response);
    if (hops === MAX_REDIRECTS) throw nonsense(request, `more than ${MAX_REDIRECTS} redirects`);
    current = redirected(current, response.status, resolveLocation(current, location));
  }
}

/**
 * A `Location` as a URL. @throws RegistryError if it cannot be followed: from https to http it would show everyone on the
 * way what https was to hide. A registry behind a proxy that ends TLS often names its own host with http; that is the
 * origin the request came from, and stays https.
 */
export function resolveLocation(
  request: Pick<HttpRequest, 'method' | 'url'>,
  location: string,
): URL {
  let url: URL;
  try {
    url = new URL(location, request.url);
  } catch (cause) {
    throw nonsense(request, 'the answer points to a location that is not a URL', { cause });
  }
  if (
    url.protocol === 'http:' &&
    request.url.protocol === 'https:' &&
    url.hostname === request.url.hostname
  ) {
    if (url.port === '' || url.port === '80') url.port = request.url.port;
    url.protocol = 'https:';
  }
  const allowed = request.url.protocol === 'https:' ? ['https:'] : ['https:', 'http:'];
  if (!allowed.includes(url.protocol))
    throw nonsense(
      request,
      `the answer points to ${url.protocol}//${url.host}, which is not safe to follow`,
    );
  // A user or password in the URL would become credentials that nobody gave.
  url.username = '';
  url.password = '';
  url.hash = '';
  return url;
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

function redirected(request: HttpRequest, status: number, url: URL): HttpRequest {
  const reading = request.method === 'GET' || request.method === 'HEAD';
  // Only 307 and 308 ask for the same method and body again (RFC 9110, section 15.4).
  if (!reading && status !== 307 && status !== 308)
    throw nonsense(request, `unexpected redirect (${status})`);
  if (url.origin === request.url.origin) return { ...request, url };
  if (request.isBodyPrivate)
    throw nonsense(request, `redirect to ${url.host}, for which our credentials are not`);
  const kept = Object.entries(request.headers ?? {}).filter(([name]) => !PRIVATE_HEADERS.has(name));
  return { ...request, url, headers: Object.fromEntries(kept) };
}
