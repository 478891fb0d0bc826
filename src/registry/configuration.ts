/**
 * What this machine's owner says of registries, in two forms. `registries.json` says how a registry is reached, and which
 * others have copies of what it has:
 *
 *     { "registries": {
 *         "docker.io":          { "mirrors": ["cache.example:5000", "harbor.example/hub"] },
 *         "cache.example:5000": { "http": true },
 *         "lab.example":        { "insecure": true } } }
 *
 * `mirrors` are asked first, in this order, when images are fetched; what follows the host is put before the repository.
 * `http` asks over plain http alone. `insecure` believes any certificate, and takes plain http where there is no TLS.
 * What podman's registries.conf says of the same is heeded, too. And directories of certificates, as docker and podman have
 * them: `certs.d/HOST[:PORT]/` holds authorities (`*.crt`) and what we show of ourselves (`NAME.cert` with `NAME.key`).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { errnoOf, TsbuildError } from '../errors.ts';
import { isHostAndPath, registryHost } from './endpoint.ts';
import { parseRegistriesConf, type RegistryEntry } from './registries-conf.ts';
import type { TlsOptions } from './transport.ts';

/** Another registry that has what one has. */
export interface Mirror {
  readonly registry: string;
  /** Put before the repository's path; '' or ending in a slash. */
  readonly prefix: string;
}

/** Each for a registry or host as it is called in references. */
export interface RegistryConfiguration {
  readonly insecure: readonly string[];
  readonly plainHttp: readonly string[];
  readonly mirrors: (registry: string) => readonly Mirror[];
  readonly tls: (host: string) => TlsOptions | undefined;
}

export interface ConfigurationSources {
  /** Files like podman's `registries.conf`, in the same order; what they say of a registry counts where the others are silent. */
  readonly podmanFiles?: readonly string[];
  /** Files like `registries.json`; what a later one says of a registry replaces what an earlier one says. */
  readonly files: readonly string[];
  /** Directories like `certs.d`; the first that knows a host counts. */
  readonly certificates: readonly string[];
}

const entrySchema = v.strictObject({
  mirrors: v.optional(
    v.array(v.pipe(v.string(), v.check(isHostAndPath, 'not HOST or HOST/PATH'))),
    [],
  ),
  insecure: v.optional(v.boolean(), false),
  http: v.optional(v.boolean(), false),
});
const fileSchema = v.strictObject({ registries: v.record(v.string(), entrySchema) });

/** @throws TsbuildError `USAGE` for a file that is there and makes no sense */
export function readRegistryConfiguration(sources: ConfigurationSources): RegistryConfiguration {
  const podman = (sources.podmanFiles ?? []).map((file) =>
    parseRegistriesConf(readIfThere(file) ?? ''),
  );
  const entries = new Map(
    [...podman, ...sources.files.map(readFile)].flatMap((file) => Object.entries(file)),
  );
  const named = (is: (entry: RegistryEntry) => boolean) =>
    [...entries].filter(([, entry]) => is(entry)).map(([registry]) => registryHost(registry));
  const tls = new Map<string, TlsOptions | undefined>();
  return {
    insecure: named(({ insecure }) => insecure),
    plainHttp: named(({ http }) => http),
    mirrors: (registry) => (entries.get(registry)?.mirrors ?? []).map(parseMirror),
    tls(host) {
      if (!tls.has(host)) tls.set(host, readCertificates(sources.certificates, host));
      return tls.get(host);
    },
  };
}

function readFile(file: string): Readonly<Record<string, RegistryEntry>> {
  const text = readIfThere(file);
  if (text === undefined) return {};
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new TsbuildError('USAGE', `read ${file}: not valid JSON`, { cause });
  }
  const parsed = v.safeParse(fileSchema, json, { abortEarly: true });
  if (parsed.success) return parsed.output.registries;
  const [issue] = parsed.issues;
  const where = v.getDotPath(issue) ?? 'the document';
  throw new TsbuildError('USAGE', `read ${file}: ${where}: ${issue.message}`, {
    hint: 'it is {"registries": {"HOST": {"mirrors": ["HOST/PATH"], "http": true, "insecure": true}}}',
  });
}

function parseMirror(text: string): Mirror {
  const slash = text.indexOf('/');
  if (slash < 0) return { registry: text, prefix: '' };
  const path = text.slice(slash + 1).replace(/\/+$/, '');
  return { registry: text.slice(0, slash), prefix: path === '' ? '' : `${path}/` };
}

function readCertificates(directories: readonly string[], host: string): TlsOptions | undefined {
  // A URL has no port where the directory's name may have that of https.
  const names = /:\d+$/.test(host) ? [host] : [host, `${host}:443`];
  const [found] = directories
    .flatMap((directory) => names.map((name) => join(directory, name)))
    .map((directory) => ({ directory, files: listFiles(directory) }))
    .filter(({ files }) => files.length > 0);
  if (found === undefined) return undefined;
  const { directory, files } = found;
  const authorities = files.filter((file) => file.endsWith('.crt'));
  const pair = files.find((file) => file.endsWith('.cert'));
  if (pair === undefined && authorities.length === 0) return undefined;
  const read = (file: string) => readCertificate(join(directory, file));
  return {
    ...(authorities.length === 0 ? {} : { ca: authorities.map(read).join('\n') }),
    ...(pair === undefined ? {} : { cert: read(pair), key: read(pair.replace(/cert$/, 'key')) }),
  };
}

/** Names in a directory of configuration, sorted; none if it is not there, or not for us to look into. */
export function listFiles(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'EACCES') return [];
    throw new TsbuildError('USAGE', `read ${directory}: ${errno ?? 'failed'}`, { cause });
  }
}

/** Unlike a directory that we may not look into, a certificate that was put there is meant to be used. */
function readCertificate(file: string): string {
  const text = readIfThere(file);
  if (text === undefined)
    throw new TsbuildError('USAGE', `read ${file}: no such file`, {
      hint: 'a certificate NAME.cert needs its NAME.key beside it',
    });
  return text;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw new TsbuildError('USAGE', `read ${file}: ${errno ?? 'failed'}`, { cause });
  }
}
