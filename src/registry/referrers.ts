/**
 * What refers to a manifest as its subject: signatures, attestations, bills of materials. Asked of the registry's end-point
 * for it; where there is none, an index under a tag made of the subject's digest has to do, and we keep it up to date.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#listing-referrers
 */
import type { CallOptions } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf, hexOf } from '../oci/digest.ts';
import { isIndex, MAX_MANIFEST_BYTES, parseManifestOrIndex } from '../oci/manifest.ts';
import { OCI_INDEX } from '../oci/media-types.ts';
import { nonsense } from './error.ts';
import { discard, type HttpResponse, headers, readBounded } from './http.ts';
import { fetchManifest, putManifest } from './manifests.ts';
import { resolveLocation } from './redirect.ts';
import { pullScope } from './scope.ts';
import type { Session } from './session.ts';

export interface ReferrerOptions extends CallOptions {
  /** Only these. */
  readonly artifactType?: string;
}

/** A registry that always has one more page would keep us for ever. */
const MAX_PAGES = 100;

export async function listReferrers(
  session: Session,
  repository: string,
  subject: Digest,
  options: ReferrerOptions = {},
): Promise<readonly Descriptor[]> {
  const { artifactType } = options;
  const query = artifactType === undefined ? '' : `?${new URLSearchParams({ artifactType })}`;
  const found: Descriptor[] = [];
  let next: string | URL | undefined = `v2/${repository}/referrers/${subject}${query}`;
  for (let page = 0; next !== undefined && page < MAX_PAGES; page += 1) {
    const response = await getPage(session, repository, next, options);
    if (response.status !== 200) {
      await discard(response);
      found.push(...(await readFallback(session, repository, subject, options)));
      break;
    }
    found.push(...(await readPage(response)));
    next = nextPage(response);
  }
  // A registry may leave the filter to us.
  return found.filter((each) => artifactType === undefined || each.artifactType === artifactType);
}

/** After a document was stored by a registry that did not say that it has seen its subject. */
export async function noteReferrer(
  session: Session,
  repository: string,
  stored: Descriptor,
  bytes: Uint8Array,
  options: CallOptions = {},
): Promise<void> {
  // Nearly none has one, and what the document is otherwise is no concern of ours.
  if (!Buffer.from(bytes).includes('"subject"')) return;
  const document = parseManifestOrIndex(bytes, stored.mediaType);
  const subject = document.subject?.digest;
  if (subject === undefined) return;
  const { mediaType, digest, size } = stored;
  const artifactType =
    document.artifactType ?? (isIndex(document) ? undefined : document.config.mediaType);
  const { annotations } = document;
  const referrer: Descriptor = {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  const known = await readFallback(session, repository, subject, options);
  if (known.some(({ digest }) => digest === referrer.digest)) return;
  const list = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [...known, referrer] }),
  );
  const index = { mediaType: OCI_INDEX, digest: digestOf(list), size: list.length };
  await putManifest(session, repository, fallbackTag(subject), index, list, options);
}

function fallbackTag(subject: Digest): string {
  return `sha256-${hexOf(subject)}`;
}

function getPage(
  session: Session,
  repository: string,
  url: string | URL,
  { signal }: CallOptions,
): Promise<HttpResponse> {
  return session.call({
    method: 'GET',
    url,
    headers: { accept: OCI_INDEX },
    scopes: [pullScope(repository)],
    // Registries of before 1.1 know no such path, in one way or another.
    expect: [200, 400, 404, 405],
    ...(signal ? { signal } : {}),
  });
}

async function readPage(response: HttpResponse): Promise<readonly Descriptor[]> {
  const bytes = await readBounded(response.body, MAX_MANIFEST_BYTES);
  const document = parseManifestOrIndex(bytes, OCI_INDEX);
  if (isIndex(document)) return document.manifests;
  throw nonsense({ method: 'GET', url: response.url }, 'the answer is not a list of referrers');
}

/** RFC 8288: `</v2/…>; rel="next"`. */
function nextPage(response: HttpResponse): URL | undefined {
  const link = headers(response, 'link').find((value) => /;\s*rel="?next"?/.test(value));
  const target = link === undefined ? undefined : /<([^>]*)>/.exec(link)?.[1];
  return target === undefined
    ? undefined
    : resolveLocation({ method: 'GET', url: response.url }, target);
}

async function readFallback(
  session: Session,
  repository: string,
  subject: Digest,
  { signal }: CallOptions,
): Promise<readonly Descriptor[]> {
  const common = signal ? { signal } : {};
  const found = await fetchManifest(session, repository, fallbackTag(subject), common);
  if (found === undefined) return [];
  const document = parseManifestOrIndex(found.bytes, found.descriptor.mediaType);
  return isIndex(document) ? document.manifests : [];
}
