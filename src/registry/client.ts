/**
 * Talking to registries: the OCI distribution spec 1.1, and what registries in the field really do.
 *
 * `createRegistryClient(options).repository(reference)` gives a {@link Repository}: the registry's side of the roles of
 * oci/content.ts. Nothing is contacted, and no HTTP library is loaded, before the first call on it.
 *
 *     const registry = createRegistryClient({ userAgent: 'tsbuild/1', keychain });
 *     const repository = registry.repository(parseReference('ghcr.io/me/app:1'));
 *     const manifest = await repository.resolve('1');
 *
 * How one call travels, each layer in its file:
 *   manifests.ts, blobs.ts, upload.ts   what the spec's end-points mean, for one repository
 *   session.ts      one registry host: finds http or https, authorizes (auth.ts), repeats (retry.ts), words errors (error.ts)
 *   redirect.ts     follows redirects by hand; credentials never leave the origin that they were given for
 *   transport.ts    one exchange over a pool of connections: timeouts, TLS, proxies
 *
 * Words: **registry** is the name in a reference (`docker.io`), **host** what is contacted (`registry-1.docker.io`),
 * **scope** what a token allows (`repository:me/app:pull`). Every byte that leaves here was checked against its digest;
 * a credential never enters a message.
 */
import type { Reference } from '../oci/reference.ts';
import type { Mirror } from './configuration.ts';
import type { Keychain } from './credentials.ts';
import type { SpecialHosts } from './endpoint.ts';
import { mirrored, type Source } from './mirrors.ts';
import { createRepository, type Repository } from './repository.ts';
import { type Clock, type RetryLimits, systemClock } from './retry.ts';
import { createSession, type Session } from './session.ts';
import { createTransport, type ProxyOptions, type TlsOptions } from './transport.ts';

export interface RegistryClientOptions extends SpecialHosts {
  readonly userAgent: string;
  readonly keychain?: Keychain;
  /** Other registries to fetch from first. */
  readonly mirrors?: (registry: string) => readonly Mirror[];
  /** Certificates for one host: additional authorities, and what we show of ourselves. */
  readonly tls?: (host: string) => TlsOptions | undefined;
  readonly proxy?: ProxyOptions;
  /** Connections at once to one host, for reading and for writing each. */
  readonly connections?: number;
  /** Silence after which a connection counts as broken. */
  readonly stallMilliseconds?: number;
  /** How long a registry may take to commit what it received. */
  readonly commitMilliseconds?: number;
  readonly retry?: Partial<RetryLimits>;
  /** Told once for each thing that a registry warns of, and for each wait for a registry that asks us to. */
  readonly onWarning?: (message: string) => void;
  readonly clock?: Clock;
}

export interface RegistryClient extends AsyncDisposable {
  /** Equal registries share connections, tokens and limits. */
  repository(reference: Pick<Reference, 'registry' | 'repository'>): Repository;
  /** What the repository has, from a mirror where there is one. */
  source(reference: Pick<Reference, 'registry' | 'repository'>): Source;
  /** The registry itself, without a repository; `tsbuild login` asks it whether credentials are right. */
  session(registry: string): Session;
}

/** There is another to ask. */
const MIRROR_RETRY = { attempts: 2, maxRetryAfterMilliseconds: 2000 };

export function createRegistryClient(options: RegistryClientOptions): RegistryClient {
  const clock = options.clock ?? systemClock;
  const transport = createTransport(options);
  const sessions = new Map<string, Session>();
  const warn = once(options.onWarning);

  const session = (registry: string, isMirror = false): Session => {
    const key = `${isMirror ? 'mirror ' : ''}${registry}`;
    const known = sessions.get(key);
    if (known !== undefined) return known;
    const retry = isMirror ? { ...options.retry, ...MIRROR_RETRY } : options.retry;
    const made = createSession({
      ...options,
      registry,
      transport,
      clock,
      warn,
      ...(retry === undefined ? {} : { retry }),
    });
    sessions.set(key, made);
    return made;
  };
  const repository: RegistryClient['repository'] = (reference) =>
    createRepository(session(reference.registry), reference.repository);
  return {
    session: (registry) => session(registry),
    repository,
    source(reference) {
      const mirrors = options.mirrors?.(reference.registry) ?? [];
      const repositories = mirrors.map(({ registry, prefix }) =>
        createRepository(session(registry, true), prefix + reference.repository),
      );
      return mirrored(repositories, repository(reference), warn);
    },
    [Symbol.asyncDispose]: () => transport.close(),
  };
}

/** A registry repeats its warnings with each answer; people need them once. */
function once(tell: ((message: string) => void) | undefined): (message: string) => void {
  const told = new Set<string>();
  return (message) => {
    if (told.has(message)) return;
    told.add(message);
    tell?.(message);
  };
}
