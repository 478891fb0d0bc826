/** The end-points of the distribution spec, from memory. */
import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FakeRegistryOptions } from './registry.ts';

export interface FakeRepository {
  readonly blobs: Map<string, Buffer>;
  /** By digest. */
  readonly manifests: Map<string, { readonly mediaType: string; readonly bytes: Buffer }>;
  readonly tags: Map<string, string>;
  /** The pieces that arrived. */
  readonly uploads: Map<string, Buffer[]>;
}
export type Repositories = Map<string, FakeRepository>;

/** `undefined`: comes when the request's body has. */
type Answer = ServerResponse | undefined;

interface Question {
  readonly repositories: Repositories;
  readonly options: FakeRegistryOptions;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
}

export function repositoryOf(repositories: Repositories, name: string): FakeRepository {
  const known = repositories.get(name);
  if (known !== undefined) return known;
  const made: FakeRepository = {
    blobs: new Map(),
    manifests: new Map(),
    tags: new Map(),
    uploads: new Map(),
  };
  repositories.set(name, made);
  return made;
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function answer(question: Question): Answer {
  const { url, repositories } = question;
  if (url.pathname === '/v2/') return end(question, 200, {}, '{}');
  const [, name, kind, rest] = /^\/v2\/(.+?)\/(blobs|manifests)\/(.*)$/.exec(url.pathname) ?? [];
  if (name === undefined || rest === undefined) return fail(question, 404, 'NAME_UNKNOWN');
  const repository = repositoryOf(repositories, name);
  if (kind === 'manifests') return manifests(question, repository, rest);
  if (rest.startsWith('uploads/'))
    return uploads(question, name, repository, rest.slice('uploads/'.length));
  return blobs(question, repository, rest);
}

function manifests(question: Question, repository: FakeRepository, reference: string): Answer {
  const { request } = question;
  if (request.method === 'PUT') {
    void receive(request).then((bytes) => {
      const digest = sha256(bytes);
      if (reference.startsWith('sha256:') && reference !== digest)
        return fail(question, 400, 'DIGEST_INVALID');
      const missing = missingChild(repository, JSON.parse(bytes.toString()));
      if (missing !== undefined) return fail(question, 404, 'MANIFEST_BLOB_UNKNOWN', missing);
      repository.manifests.set(digest, { mediaType: request.headers['content-type'] ?? '', bytes });
      if (!reference.startsWith('sha256:')) repository.tags.set(reference, digest);
      return end(question, 201, { 'docker-content-digest': digest });
    });
    return undefined;
  }
  const digest = repository.tags.get(reference) ?? reference;
  const found = repository.manifests.get(digest);
  if (found === undefined) return fail(question, 404, 'MANIFEST_UNKNOWN');
  return end(
    question,
    200,
    { 'content-type': found.mediaType, 'docker-content-digest': digest },
    found.bytes,
  );
}

interface AnyDocument {
  readonly manifests?: readonly { readonly digest: string }[];
  readonly config?: { readonly digest: string };
  readonly layers?: readonly { readonly digest: string }[];
}

/** As real registries do, a document is refused as long as something that it points at is missing. */
function missingChild(
  repository: FakeRepository,
  { manifests, config, layers }: AnyDocument,
): string | undefined {
  const lacksManifest = manifests?.find(({ digest }) => !repository.manifests.has(digest));
  const lacksBlob = [config, ...(layers ?? [])].find(
    (blob) => blob !== undefined && !repository.blobs.has(blob.digest),
  );
  return (lacksManifest ?? lacksBlob)?.digest;
}

function blobs(question: Question, repository: FakeRepository, digest: string): Answer {
  const bytes = repository.blobs.get(digest);
  if (bytes === undefined) return fail(question, 404, 'BLOB_UNKNOWN');
  const start = Number(/^bytes=(\d+)-$/.exec(question.request.headers.range ?? '')?.[1] ?? 0);
  const common = {
    'docker-content-digest': digest,
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
  };
  if (start === 0) return end(question, 200, common, bytes);
  const range = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
  return end(question, 206, { ...common, 'content-range': range }, bytes.subarray(start));
}

function uploads(question: Question, name: string, repository: FakeRepository, id: string): Answer {
  const { request, url, options, repositories } = question;
  const at = (upload: string) => ({
    location: `/v2/${name}/blobs/uploads/${upload}?_state=kept%2Fas+it~is`,
  });
  if (request.method === 'POST') {
    const mount = url.searchParams.get('mount');
    const blob = mount && repositories.get(url.searchParams.get('from') ?? '')?.blobs.get(mount);
    if (mount && blob && options.mount !== false) {
      repository.blobs.set(mount, blob);
      return end(question, 201, {
        location: `/v2/${name}/blobs/${mount}`,
        'docker-content-digest': mount,
      });
    }
    const upload = randomUUID();
    repository.uploads.set(upload, []);
    const minimum: Record<string, string> =
      options.minimumChunk === undefined
        ? {}
        : { 'oci-chunk-min-length': String(options.minimumChunk) };
    return end(question, 202, { ...at(upload), ...minimum, range: '0-0' });
  }
  const received = repository.uploads.get(id);
  if (received === undefined) return fail(question, 404, 'BLOB_UPLOAD_UNKNOWN');
  if (url.searchParams.get('_state') !== 'kept/as it~is')
    return fail(question, 400, 'BLOB_UPLOAD_INVALID');
  if (request.method === 'GET') return end(question, 204, { ...at(id), range: rangeOf(received) });
  if (
    Number(request.headers['content-length']) > (options.maximumBody ?? Number.POSITIVE_INFINITY)
  ) {
    request.resume();
    return fail(question, 413, 'SIZE_INVALID');
  }
  void receiveUpload(question, received).then((complete) => {
    if (!complete) return undefined;
    const bytes = Buffer.concat(received);
    if (request.method === 'PATCH')
      return end(question, 202, { ...at(id), range: rangeOf(received) });
    const digest = url.searchParams.get('digest') ?? '';
    repository.uploads.delete(id);
    if (sha256(bytes) !== digest) return fail(question, 400, 'DIGEST_INVALID');
    repository.blobs.set(digest, bytes);
    return end(question, 201, {
      location: `/v2/${name}/blobs/${digest}`,
      'docker-content-digest': digest,
    });
  });
  return undefined;
}

/** Keeps what arrived, also of a request that broke off. */
async function receiveUpload(question: Question, received: Buffer[]): Promise<boolean> {
  const { request } = question;
  const range = /^(\d+)-(\d+)$/.exec(request.headers['content-range'] ?? '');
  if (range !== null && Number(range[1]) !== sizeOf(received)) {
    request.resume();
    fail(question, 416, 'BLOB_UPLOAD_INVALID');
    return false;
  }
  try {
    for await (const chunk of request) received.push(chunk);
    return true;
  } catch {
    return false;
  }
}

function rangeOf(received: readonly Buffer[]): string {
  return `0-${Math.max(0, sizeOf(received) - 1)}`;
}

function sizeOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((size, piece) => size + piece.length, 0);
}

async function receive(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function end(
  { request, response }: Question,
  status: number,
  headers: Record<string, string>,
  body: string | Buffer = '',
): Answer {
  const bytes = Buffer.from(body as string);
  // A 204 has no body and must not announce one.
  response.writeHead(
    status,
    status === 204 ? headers : { ...headers, 'content-length': String(bytes.length) },
  );
  return response.end(request.method === 'HEAD' ? undefined : bytes);
}

function fail(
  question: Question,
  status: number,
  code: string,
  message = 'as the test has it',
): Answer {
  return end(
    question,
    status,
    { 'content-type': 'application/json' },
    JSON.stringify({ errors: [{ code, message }] }),
  );
}
