/** The format of docker's config.json and podman's auth.json, as far as it concerns credentials. */
import * as v from 'valibot';
import { TsbuildError } from '../errors.ts';
import type { Credentials } from './credentials.ts';

/** The key of Docker Hub, older than anything that came after it. */
export const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';

const text = v.optional(v.nullable(v.string()));
const entrySchema = v.looseObject({
  auth: text,
  username: text,
  password: text,
  identitytoken: text,
  registrytoken: text,
});
const schema = v.looseObject({
  auths: v.nullish(v.record(v.string(), v.nullable(entrySchema)), {}),
  credHelpers: v.nullish(v.record(v.string(), v.string()), {}),
  credsStore: text,
});

type Entry = v.InferOutput<typeof entrySchema>;
export type Auths = Readonly<Record<string, Entry | null>>;

export interface AuthFile {
  readonly auths: Auths;
  /** Registry → name of the helper program, without `docker-credential-`. */
  readonly credHelpers: Readonly<Record<string, string>>;
  readonly credsStore: string | undefined;
  /** The whole document, to be written back with what this does not know. */
  readonly document: Readonly<Record<string, unknown>>;
}

/** @throws TsbuildError `USAGE` naming `file`; nothing of its content is quoted. */
export function parseAuthFile(content: string, file: string): AuthFile {
  let document: unknown;
  try {
    document = content.trim() === '' ? {} : JSON.parse(content);
  } catch {
    // The cause would quote the file.
    throw new TsbuildError('USAGE', `read credentials from ${file}: not valid JSON`);
  }
  const parsed = v.safeParse(schema, document, { abortEarly: true });
  if (!parsed.success) {
    // Names the member that is wrong, not its key, which may be anything.
    const member = parsed.issues[0].path?.[0]?.key;
    throw new TsbuildError(
      'USAGE',
      `read credentials from ${file}: ${String(member ?? 'the document')} has not the expected form`,
    );
  }
  const { auths, credHelpers, credsStore } = parsed.output;
  return {
    auths: auths ?? {},
    credHelpers: credHelpers ?? {},
    credsStore: credsStore || undefined,
    document: document as Record<string, unknown>,
  };
}

/** The entry for a registry, whatever form its key has: `host`, `https://host`, `https://host/v1/`. */
export function findAuth(auths: Auths, registry: string): Credentials | undefined {
  const key =
    [authKey(registry), registry].find((name) => auths[name]) ??
    Object.keys(auths).find((name) => normalizeKey(name) === registry);
  const entry = key === undefined ? undefined : auths[key];
  return entry ? credentialsOf(entry) : undefined;
}

/** The helper for a registry: the one named for it, even if that is none, before the one for all. */
export function findHelper(config: AuthFile, registry: string): NamedHelper | undefined {
  const named = Object.entries(config.credHelpers).find(([key]) => normalizeKey(key) === registry);
  if (named !== undefined) return named[1] === '' ? undefined : { name: named[1], isNamed: true };
  return config.credsStore === undefined ? undefined : { name: config.credsStore, isNamed: false };
}

export interface NamedHelper {
  readonly name: string;
  /** For this registry in particular. */
  readonly isNamed: boolean;
}

/** The key under which docker looks a registry up, and helpers know it. */
export function authKey(registry: string): string {
  return registry === 'docker.io' ? DOCKER_HUB_KEY : registry;
}

/** From any form of key, or of what people type after `login`, to the registry's name. */
export function normalizeKey(key: string): string {
  const host = key.replace(/^https?:\/\//, '').replace(/\/(?:v[12]\/?)?$/, '');
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
}

function credentialsOf(entry: Entry): Credentials | undefined {
  if (entry.registrytoken) return { registryToken: entry.registrytoken };
  if (entry.identitytoken) return { identityToken: entry.identitytoken };
  if (entry.username && entry.password)
    return { username: entry.username, password: entry.password };
  if (!entry.auth) return undefined;
  const pair = Buffer.from(entry.auth, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  // docker writes NUL bytes after some passwords.
  if (colon <= 0) return undefined;
  return { username: pair.slice(0, colon), password: pair.slice(colon + 1).replace(/\0+$/, '') };
}
