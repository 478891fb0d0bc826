/** What the user wrote for a context, told apart by its text alone, as the engine does. */
import { TsbuildError } from '../errors.ts';
import { type Digest, isDigest, parseDigest } from '../oci/digest.ts';
import { LAYOUT_SCHEME } from '../oci/reference.ts';

export type ContextLocation =
  | { readonly type: 'stdin' }
  | { readonly type: 'http'; readonly url: string }
  | { readonly type: 'git'; readonly reference: GitReference }
  | { readonly type: 'directory'; readonly path: string };

/** A git repository, and what of it. */
export interface GitReference {
  /** For `git fetch`. May hold credentials. */
  readonly remote: string;
  /** Branch, tag, `refs/…` or commit; the remote's HEAD without one. */
  readonly ref?: string;
  readonly subdirectory?: string;
  /** The commit, or its first digits, that `ref` has to be. */
  readonly checksum?: string;
  readonly keepGitDirectory?: boolean | undefined;
  readonly submodules?: boolean;
}

/** @throws TsbuildError `USAGE` for a git URL with options that are not understood. */
export function parseContextLocation(text: string): ContextLocation {
  if (text === '-') return { type: 'stdin' };
  const reference = parseGitReference(text);
  if (reference !== undefined) return { type: 'git', reference };
  return /^https?:\/\//.test(text)
    ? { type: 'http', url: text }
    : { type: 'directory', path: text };
}

/** An image of an OCI image layout on this host. */
export interface LayoutLocation {
  readonly directory: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/**
 * `oci-layout://DIRECTORY[:TAG][@DIGEST]`, or a whole name for the tag; `undefined` for everything else. A path with a colon
 * or an @ cannot be said, as in buildx. @throws TsbuildError `USAGE`
 */
export function parseLayoutLocation(text: string): LayoutLocation | undefined {
  if (!text.startsWith(LAYOUT_SCHEME)) return undefined;
  const [, directory, tag, digest] =
    /^([^:@]+)(?::([^@]+))?(?:@(.*))?$/s.exec(text.slice(LAYOUT_SCHEME.length)) ?? [];
  if (directory === undefined || (digest !== undefined && !isDigest(digest))) {
    throw new TsbuildError('USAGE', `context ${text} names no image of an OCI layout`, {
      hint: 'write oci-layout://DIRECTORY, oci-layout://DIRECTORY:TAG or oci-layout://DIRECTORY@sha256:…',
    });
  }
  return {
    directory,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest: parseDigest(digest) }),
  };
}

/**
 * `https://host/name.git#ref:subdirectory`, `…git?ref=…&subdir=…`, `git://…`, `ssh://…`, `git@host:name`,
 * `github.com/owner/name`. `undefined` for what names no git repository; an http URL does so only with `.git`.
 * https://docs.docker.com/build/concepts/context/#git-repositories
 * @throws TsbuildError `USAGE`
 */
export function parseGitReference(text: string): GitReference | undefined {
  const scp = /^\w[\w.-]*@\w[\w.-]*:(?!\/\/)([^#?]*)(.*)$/.exec(text);
  if (scp !== null) {
    const suffix = scp[2]!;
    const remote = text.slice(0, text.length - suffix.length);
    return withOptions({ remote }, new URL(suffix, 'ssh://host/'), text);
  }
  const full = text.startsWith('github.com/') ? `https://${text}` : text;
  if (!/^(https?|git|ssh):\/\//.test(full) || !URL.canParse(full)) return undefined;
  const url = new URL(full);
  const isHttp = /^https?:$/.test(url.protocol);
  if (isHttp && full === text && !url.pathname.endsWith('.git')) return undefined;
  return withOptions({ remote: full.replace(/[?#].*$/s, '') }, url, text);
}

function withOptions(base: { remote: string }, url: URL, text: string): GitReference {
  const fragment = decodeURIComponent(url.hash.slice(1));
  const colon = fragment.indexOf(':');
  const query = Object.fromEntries(url.searchParams);
  for (const name of url.searchParams.keys()) {
    if (!QUERY_NAMES.includes(name)) throw invalid(text, `does not understand ${name}=`);
    if (url.searchParams.getAll(name).length > 1)
      throw invalid(text, `${name}= stands there twice`);
    const value = query[name];
    if (value === '' && name !== 'submodules' && name !== 'keep-git-dir') {
      throw invalid(text, `${name}= has no value`);
    }
  }
  const one = (name: string, ...values: (string | undefined)[]): string | undefined => {
    const given = [...new Set(values.filter((value) => value !== undefined && value !== ''))];
    if (given.length > 1) throw invalid(text, `more than one ${name}: ${given.join(', ')}`);
    return given[0];
  };
  const checksum = one('checksum', query.checksum, query.commit);
  const ref = one(
    'ref',
    colon < 0 ? fragment : fragment.slice(0, colon),
    query.ref,
    query.tag && prefixed('refs/tags/', query.tag),
    query.branch && prefixed('refs/heads/', query.branch),
  );
  const subdirectory = one(
    'subdirectory',
    colon < 0 ? '' : fragment.slice(colon + 1),
    query.subdir,
  );
  const keep = booleanOf(query['keep-git-dir'], 'keep-git-dir', text);
  const submodules = booleanOf(query.submodules, 'submodules', text);
  return {
    ...base,
    ...((ref ?? checksum) === undefined ? {} : { ref: (ref ?? checksum)! }),
    ...(subdirectory === undefined ? {} : { subdirectory }),
    ...(checksum === undefined ? {} : { checksum }),
    ...(keep === undefined ? {} : { keepGitDirectory: keep }),
    ...(submodules === undefined ? {} : { submodules }),
  };
}

const QUERY_NAMES: readonly string[] = [
  'ref',
  'tag',
  'branch',
  'subdir',
  'checksum',
  'commit',
  'keep-git-dir',
  'submodules',
];

function prefixed(prefix: string, name: string): string {
  return name.startsWith(prefix) ? name : prefix + name;
}

/** Without a value it is true. */
function booleanOf(value: string | undefined, name: string, text: string): boolean | undefined {
  if (value === undefined) return undefined;
  if (/^(|1|t|T|true|TRUE|True)$/.test(value)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(value)) return false;
  throw invalid(text, `${name}=${value} is neither true nor false`);
}

function invalid(text: string, why: string): TsbuildError {
  return new TsbuildError('USAGE', `git URL ${redactUrl(text)}: ${why}`);
}

/** For display: without the password in it. */
export function redactUrl(text: string): string {
  return text.replace(/^(\w+:\/\/)[^@/]*@/, '$1…@');
}
