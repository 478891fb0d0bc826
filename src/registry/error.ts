/** Failures of registries, worded: what was asked of which host, what it answered, and what to do about it. */
import { type ErrorCode, type ErrorDetails, TsbuildError } from '../errors.ts';
import { type HttpRequest, type HttpResponse, header, readBounded } from './http.ts';

/** The distribution spec's form of an error; `code` is for instance `MANIFEST_UNKNOWN`. */
export interface RegistryErrorCode {
  readonly code: string;
  readonly message: string;
}

export interface RegistryErrorFields {
  readonly method: string;
  /** Without user, password and whatever a query may hold. */
  readonly url: string;
  readonly status?: number;
  readonly errors?: readonly RegistryErrorCode[];
  /** How long the registry asks us to wait before we come back. */
  readonly retryAfterMilliseconds?: number;
}

export class RegistryError extends TsbuildError {
  override readonly name = 'RegistryError';
  readonly method: string;
  readonly url: string;
  readonly host: string;
  readonly status: number | undefined;
  readonly errors: readonly RegistryErrorCode[];
  readonly retryAfterMilliseconds: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    fields: RegistryErrorFields,
    details: ErrorDetails = {},
  ) {
    super(code, message, details);
    this.method = fields.method;
    this.url = fields.url;
    this.host = new URL(fields.url).host;
    this.status = fields.status;
    this.errors = fields.errors ?? [];
    this.retryAfterMilliseconds = fields.retryAfterMilliseconds;
  }
}

const MAX_ERROR_BODY = 64 * 1024;
const MAX_SHOWN = 300;
const RETRYABLE_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);
const MAX_QUERY_SHOWN = 100;
/** Query parameters that say what was asked; all others may be a signature or a key. */
const HARMLESS_QUERY = new Set(['digest', 'mount', 'from', 'n', 'service', 'scope']);

/** The error for an answer that was not hoped for. Reads its body, up to a bound. */
export async function refused(
  registry: string,
  request: HttpRequest,
  response: HttpResponse,
  retryAfterMilliseconds?: number,
): Promise<RegistryError> {
  const { status } = response;
  const errors = (await readErrors(response)).map(({ code, message }) => ({
    code: withoutSecrets(code, request),
    message: withoutSecrets(message, request),
  }));
  const said = errors
    .map(({ code, message }) => (message && message !== code ? `${code}: ${message}` : code))
    .join('; ');
  const url = redactUrl(response.url);
  const message =
    `${request.method} ${url}: ${status} ${REASONS[status] ?? ''}`.trimEnd() +
    (said ? `: ${said}` : '');
  const code = codeOf(status, errors);
  const hint = hintFor(code, registry, retryAfterMilliseconds);
  return new RegistryError(
    code,
    message,
    {
      method: request.method,
      url,
      status,
      errors,
      ...(retryAfterMilliseconds === undefined ? {} : { retryAfterMilliseconds }),
    },
    { retryable: RETRYABLE_STATUS.has(status), ...(hint ? { hint } : {}) },
  );
}

/** The error for an exchange that did not happen or broke off. */
export function broken(
  request: Pick<HttpRequest, 'method' | 'url'>,
  cause: unknown,
  { reached = true }: { reached?: boolean } = {},
): RegistryError {
  const url = redactUrl(request.url);
  const { why, hint, retryable } = explain(cause, request.url, reached);
  return new RegistryError(
    'NETWORK',
    `${request.method} ${url}: ${why}`,
    { method: request.method, url },
    { cause, retryable, ...(hint ? { hint } : {}) },
  );
}

/** The error for an answer that makes no sense. */
export function nonsense(
  request: Pick<HttpRequest, 'method' | 'url'>,
  why: string,
  details: ErrorDetails = {},
): RegistryError {
  const url = redactUrl(request.url);
  return new RegistryError(
    'REGISTRY',
    `${request.method} ${url}: ${why}`,
    { method: request.method, url },
    details,
  );
}

/** A URL fit for a message: signatures, upload states and passwords are left out. */
export function redactUrl(url: URL): string {
  const query = [...url.searchParams]
    .filter(([name, value]) => HARMLESS_QUERY.has(name) && value.length <= MAX_QUERY_SHOWN)
    .map(([name, value]) => `${name}=${value}`);
  const shown = `${url.protocol}//${url.host}${url.pathname}`;
  if (url.search === '') return printable(shown);
  return printable(
    `${shown}?${[...query, ...(query.length < [...url.searchParams].length ? ['…'] : [])].join('&')}`,
  );
}

/** Text of a stranger made fit for a terminal: no control characters, and not more than a few lines. */
export function printable(text: string): string {
  const clean = text
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ')
    .trim();
  return clean.length > MAX_SHOWN ? `${clean.slice(0, MAX_SHOWN)}…` : clean;
}

function codeOf(status: number, errors: readonly RegistryErrorCode[]): ErrorCode {
  if (status === 429 || errors.some(({ code }) => code === 'TOOMANYREQUESTS'))
    return 'REGISTRY_RATE_LIMIT';
  if (status === 401 || status === 403 || status === 407) return 'REGISTRY_AUTH';
  if (status === 404) return 'NOT_FOUND';
  return 'REGISTRY';
}

function hintFor(code: ErrorCode, registry: string, wait: number | undefined): string | undefined {
  const login = registry === 'docker.io' ? 'tsbuild login' : `tsbuild login ${registry}`;
  switch (code) {
    case 'REGISTRY_AUTH':
      return `check that the repository exists, and log in with an account that may use it: ${login}`;
    case 'REGISTRY_RATE_LIMIT':
      return wait === undefined
        ? `wait, or log in for a higher limit: ${login}`
        : `try again in ${Math.ceil(wait / 1000)} s, or log in for a higher limit: ${login}`;
    default:
      return undefined;
  }
}

async function readErrors(response: HttpResponse): Promise<RegistryErrorCode[]> {
  let text: string;
  try {
    text = (await readBounded(response.body, MAX_ERROR_BODY)).toString('utf8');
  } catch {
    return [];
  }
  return parseErrors(text, header(response, 'content-type') ?? '');
}

/** Token servers and proxies have forms of their own; a page of HTML says nothing that the status does not. */
export function parseErrors(text: string, contentType: string): RegistryErrorCode[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    const plain = /html/i.test(contentType) || /^\s*</.test(text) ? '' : printable(text);
    return plain ? [{ code: plain, message: '' }] : [];
  }
  if (typeof json !== 'object' || json === null) return [];
  if ('errors' in json && Array.isArray(json.errors))
    return json.errors.slice(0, 5).flatMap(oneError);
  if ('details' in json && typeof json.details === 'string')
    return [{ code: printable(json.details), message: '' }];
  return oneError(json);
}

function oneError(value: unknown): RegistryErrorCode[] {
  if (typeof value !== 'object' || value === null) return [];
  const { code, error, message, error_description: description } = value as Record<string, unknown>;
  const name = typeof code === 'string' ? code : typeof error === 'string' ? error : '';
  const text =
    typeof message === 'string' ? message : typeof description === 'string' ? description : '';
  if (name === '' && text === '') return [];
  return [{ code: printable(name || text), message: name ? printable(text) : '' }];
}

/** A server that repeats what we sent must not get it into a log. */
function withoutSecrets(text: string, request: HttpRequest): string {
  const authorization = request.headers?.authorization;
  if (authorization === undefined) return text;
  const value = authorization.slice(authorization.indexOf(' ') + 1);
  const secrets = [value];
  if (authorization.startsWith('Basic ')) {
    const pair = Buffer.from(value, 'base64').toString('utf8');
    secrets.push(pair, pair.slice(pair.indexOf(':') + 1));
  }
  return secrets
    .filter((secret) => secret.length > 3)
    .reduce((shown, secret) => shown.replaceAll(secret, '***'), text);
}

/**
 * What went wrong below HTTP, in words. Unknown names and bad certificates stay what they are on a second try, and so does
 * a refusal, unless the host was `reached` before and is only being started again.
 */
function explain(
  cause: unknown,
  url: URL,
  reached: boolean,
): { why: string; hint?: string; retryable: boolean } {
  const code = codeOfCause(cause);
  const text = cause instanceof Error ? printable(cause.message) : printable(String(cause));
  switch (code) {
    case 'ECONNREFUSED':
      return {
        why: 'connection refused',
        hint: `is something listening on ${url.host}?`,
        retryable: reached,
      };
    case 'ENOTFOUND':
      return {
        why: `host ${url.hostname} is not known`,
        hint: 'check the name of the registry',
        retryable: false,
      };
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return {
        why: 'no connection in time',
        hint: 'check the network and its proxy',
        retryable: true,
      };
    case 'UND_ERR_HEADERS_TIMEOUT':
      return { why: 'no answer in time', retryable: true };
    case 'UND_ERR_BODY_TIMEOUT':
      return { why: 'the transfer stalled', retryable: true };
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'EPROTO':
      return {
        why: 'the host does not speak TLS',
        hint: `if it is meant to speak plain http, say so in registries.json: {"registries": {"${url.host}": {"http": true}}}; or "insecure"`,
        retryable: false,
      };
    default:
      break;
  }
  if (isCertificateAlert(code)) {
    const alert = code
      .replace(/.*_ALERT_/, '')
      .toLowerCase()
      .replaceAll('_', ' ');
    return {
      why: `the host ended the TLS handshake (${alert}): it wants a client certificate that it knows`,
      hint: `put one into certs.d/${url.host}/client.cert, with client.key beside it, for instance in /etc/docker`,
      retryable: false,
    };
  }
  if (/CERT|UNABLE_TO_|SELF_SIGNED|ALTNAME/.test(code)) {
    return {
      why: `certificate not accepted: ${text}`,
      hint: `put the authority that signed it into certs.d/${url.host}/ca.crt, for instance in /etc/docker`,
      retryable: false,
    };
  }
  return { why: `connection broke: ${text || code}`, retryable: true };
}

/** Whether a TLS alert speaks of our certificate, or the lack of one; a failed handshake nearly always does. */
export function isCertificateAlert(code = ''): boolean {
  return /_ALERT_(?:\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)$/.test(code);
}

/** The code of the innermost cause: connecting over IPv4 and IPv6 fails with an AggregateError around both reasons. */
function codeOfCause(cause: unknown): string {
  if (!(cause instanceof Error)) return '';
  if ('code' in cause && typeof cause.code === 'string') return cause.code;
  if (cause instanceof AggregateError) return codeOfCause(cause.errors[0]);
  return codeOfCause(cause.cause);
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Payload Too Large',
  416: 'Range Not Satisfiable',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};
