/** Image references, `[registry/]repository[:tag][@digest]`, with Docker's rules for what may be left out. */
import { TsbuildError } from '../errors.ts';
import { type Digest, isDigest, parseDigest } from './digest.ts';

/** What begins the name of an image in a layout on this host, which no reference can begin with. */
export const LAYOUT_SCHEME = 'oci-layout://';

export interface Reference {
  /** Host and port; `docker.io` when none was named. */
  readonly registry: string;
  /** Path within the registry; `library/` is added for official images of Docker Hub. */
  readonly repository: string;
  /** `latest` when neither tag nor digest was given. */
  readonly tag?: string;
  readonly digest?: Digest;
}

const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const REGISTRY =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;

/** @throws TsbuildError `USAGE` saying which part is wrong. */
export function parseReference(text: string): Reference {
  const fail = (why: string, hint?: string): never => {
    throw new TsbuildError(
      'USAGE',
      `invalid image reference ${JSON.stringify(text.slice(0, 300))}: ${why}`,
      hint ? { hint } : {},
    );
  };
  let rest = text;
  let digest: Digest | undefined;
  const at = rest.indexOf('@');
  if (at >= 0) {
    const digestText = rest.slice(at + 1);
    if (!isDigest(digestText)) fail('what follows @ is not a sha256 digest');
    digest = parseDigest(digestText);
    rest = rest.slice(0, at);
  }
  let tag: string | undefined;
  const colon = rest.lastIndexOf(':');
  if (colon > rest.lastIndexOf('/')) {
    tag = rest.slice(colon + 1);
    if (!TAG.test(tag)) fail(`${JSON.stringify(tag)} is not a tag`);
    rest = rest.slice(0, colon);
  }
  if (rest === '') fail('the name is empty');
  if (isHex64(rest)) fail('64 hex digits are an image id, not a name');
  const slash = rest.indexOf('/');
  const head = slash < 0 ? '' : rest.slice(0, slash);
  const hasRegistry =
    head !== '' && (/[.:[]/.test(head) || head === 'localhost' || head !== head.toLowerCase());
  let registry = hasRegistry ? head : 'docker.io';
  let repository = hasRegistry ? rest.slice(slash + 1) : rest;
  if (!REGISTRY.test(registry)) fail(`${JSON.stringify(registry)} is not a registry host`);
  if (registry === 'index.docker.io') registry = 'docker.io';
  if (repository !== repository.toLowerCase())
    fail('the repository must be in lower case', `try ${JSON.stringify(text.toLowerCase())}`);
  if (!repository.split('/').every((component) => COMPONENT.test(component)))
    fail('the repository has a component that is not allowed');
  if (registry === 'docker.io' && !repository.includes('/')) repository = `library/${repository}`;
  if (registry.length + repository.length > 255) fail('the name is longer than 255 characters');
  if (tag === undefined && digest === undefined) tag = 'latest';
  return { registry, repository, ...(tag ? { tag } : {}), ...(digest ? { digest } : {}) };
}

export function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}

/** The full form, in which equal references are equal strings: `docker.io/library/busybox:latest`. */
export function formatReference(reference: Reference): string {
  const { registry, repository, tag, digest } = reference;
  return `${registry}/${repository}${tag ? `:${tag}` : ''}${digest ? `@${digest}` : ''}`;
}

/** As people write it: without what Docker fills in by itself. */
export function familiarReference(reference: Reference): string {
  const { registry, repository, tag, digest } = reference;
  const name =
    registry === 'docker.io'
      ? repository.replace(/^library\/(?=[^/]+$)/, '')
      : `${registry}/${repository}`;
  return `${name}${tag ? `:${tag}` : ''}${digest ? `@${digest}` : ''}`;
}

/** The name of a context, for a FROM by any of the forms of one reference. What is no reference is a name as it is. */
export function contextName(text: string): string {
  try {
    return familiarReference(parseReference(text)).replace(/:latest$/, '');
  } catch {
    return text;
  }
}

function isHex64(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
