/**
 * Brings an image of the store into a registry: configuration and layers at once, then the manifest, then an index above
 * it. A layer that was pulled goes as the blob that it came as, or is mounted from where it came. A layer of ours is an
 * uncompressed tar, and is compressed on the way, the next one while the last is sent; the result is kept, so that the next
 * push compresses and sends nothing. What is reported is the digest of what the registry has.
 */
import pLimit, { type LimitFunction } from 'p-limit';
import { TsbuildError } from '../errors.ts';
import { parseImageConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { type Index, isIndex, type Manifest, parseManifestOrIndex } from '../oci/manifest.ts';
import { isConfigType } from '../oci/media-types.ts';
import { formatPlatform } from '../oci/platform.ts';
import { familiarReference, type Reference } from '../oci/reference.ts';
import { useStore } from '../store/lease.ts';
import { knownBlob } from './layer-form.ts';
import { type LayerPush, send, sendLayer, startLayer } from './push-layer.ts';
import { MAX_DEPTH } from './select.ts';
import { together } from './together.ts';
import { startTransfer } from './transfer-progress.ts';

/** `target` is the repository of `reference`; progress is told for `step`. */
export interface PushOptions extends LayerPush {
  readonly reference: Reference;
  /** The manifest or index in the store. */
  readonly descriptor: Descriptor;
  /** Blobs sent at once. */
  readonly concurrency?: number;
}

export interface PushedImage {
  /** What the registry has under the reference now. Of another digest than in the store if layers were compressed. */
  readonly descriptor: Descriptor;
}

/** A push under way. */
interface Pushing extends PushOptions {
  /** Compression uses all cores by itself. */
  readonly compressing: LimitFunction;
  readonly sending: LimitFunction;
  /** A blob that several manifests have, or one has twice, is sent once. */
  readonly sent: Map<Digest, Promise<Descriptor>>;
  /** So is a document that an index has twice. */
  readonly documents: Map<Digest, Promise<Document>>;
}

/** A document as it goes to the registry. */
interface Document {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

const CONCURRENCY = 6;

/** @throws TsbuildError `IMAGE_NOT_FOUND` if the store lacks a part; what the registry and the store throw */
export async function pushImage(options: PushOptions): Promise<PushedImage> {
  const { store, target, reference, signal } = options;
  await using _lease = await useStore(store, signal);
  const pushing: Pushing = {
    ...options,
    compressing: pLimit(1),
    sending: pLimit(options.concurrency ?? CONCURRENCY),
    sent: new Map(),
    documents: new Map(),
  };
  const { descriptor, bytes } = await pushDocument(pushing, options.descriptor, signal);
  const name = reference.tag ?? descriptor.digest;
  if (
    reference.tag === undefined &&
    reference.digest !== undefined &&
    reference.digest !== descriptor.digest
  ) {
    throw new TsbuildError(
      'USAGE',
      `push ${familiarReference(reference)}: the image has the digest ${descriptor.digest}`,
    );
  }
  await target.putManifest(name, descriptor, bytes, signal ? { signal } : {});
  return { descriptor };
}

/** Sends all that a document points at, and gives the document itself, which is not sent yet. */
function pushDocument(
  pushing: Pushing,
  descriptor: Descriptor,
  signal?: AbortSignal,
  depth = 0,
): Promise<Document> {
  const known = pushing.documents.get(descriptor.digest);
  if (known !== undefined) return known;
  const made = pushOnce(pushing, descriptor, signal, depth);
  pushing.documents.set(descriptor.digest, made);
  return made;
}

async function pushOnce(
  pushing: Pushing,
  descriptor: Descriptor,
  signal: AbortSignal | undefined,
  depth: number,
): Promise<Document> {
  if (depth > MAX_DEPTH)
    throw new TsbuildError('MANIFEST', `indexes nest deeper than ${MAX_DEPTH} levels`);
  const bytes = pushing.store.readBlob(descriptor.digest);
  const document = parseManifestOrIndex(bytes, descriptor.mediaType);
  return isIndex(document)
    ? pushIndex(pushing, { descriptor, bytes }, document, signal, depth)
    : pushManifest(pushing, { descriptor, bytes }, document, signal);
}

async function pushManifest(
  pushing: Pushing,
  original: Document,
  manifest: Manifest,
  signal?: AbortSignal,
): Promise<Document> {
  const { store, target } = pushing;
  const diffIDs = isConfigType(manifest.config.mediaType)
    ? parseImageConfig(store.readBlob(manifest.config.digest)).rootfs.diff_ids
    : [];
  const layers = manifest.layers.map((layer, at) => ({
    layer,
    diffID: diffIDs[at],
    manifestType: manifest.mediaType,
  }));
  const known = layers.map((layer) => knownBlob(pushing, layer));
  const expected = known.every((blob) => blob !== undefined)
    ? withLayers(original, manifest, known)
    : undefined;
  // A registry that has the manifest has what it points at.
  if (
    expected !== undefined &&
    (await target.exists(expected.descriptor, signal ? { signal } : {}))
  ) {
    for (const blob of [manifest.config, ...known.map((blob) => blob!)])
      startTransfer(pushing.emit, pushing.step, blob, 'upload').done('exists');
    return expected;
  }
  const sent = await together(signal, (inner) => {
    const push = { ...pushing, signal: inner };
    const once = (blob: Descriptor, start: () => Promise<Descriptor>) => {
      const sending = pushing.sent.get(blob.digest) ?? pushing.sending(start);
      pushing.sent.set(blob.digest, sending);
      // The descriptor is the manifest's own: another may call the same bytes differently.
      return sending.then(() => blob);
    };
    const config = once(manifest.config, () => send(push, manifest.config));
    const blobs = layers.map(async (layer, at) => {
      const { blob, sent } = known[at]
        ? { blob: known[at], sent: false }
        : await pushing.compressing(() => startLayer(push, layer));
      return once(blob, async () => ((await sent) ? blob : sendLayer(push, blob, layer.diffID)));
    });
    return [...blobs, config];
  });
  return withLayers(original, manifest, sent.slice(0, -1));
}

/** The manifest with the blobs that its layers became; its very bytes if they are what it had. */
function withLayers(
  original: Document,
  manifest: Manifest,
  layers: readonly Descriptor[],
): Document {
  if (manifest.layers.every(({ digest }, at) => digest === layers[at]?.digest)) return original;
  return rewritten(original, { layers });
}

/** Other members, and their order, stay as they are. */
function rewritten({ descriptor, bytes }: Document, members: object): Document {
  const changed = Buffer.from(
    JSON.stringify({ ...JSON.parse(bytes.toString('utf8')), ...members }),
  );
  return {
    bytes: changed,
    descriptor: { ...descriptor, digest: digestOf(changed), size: changed.length },
  };
}

/** Sends the manifests that the store has, and those of the registry's own stay in the index. */
async function pushIndex(
  pushing: Pushing,
  original: Document,
  index: Index,
  signal: AbortSignal | undefined,
  depth: number,
): Promise<Document> {
  const { store, target, emit } = pushing;
  const pushed = await together(signal, (inner) =>
    index.manifests.map(async (child) => {
      if (store.blobSize(child.digest) === child.size) {
        const { bytes, descriptor } = await pushDocument(pushing, child, inner, depth + 1);
        const { mediaType, digest, size } = descriptor;
        return { bytes, descriptor: { ...child, mediaType, digest, size } };
      }
      return (await target.exists(child, { signal: inner }))
        ? { descriptor: child, bytes: undefined }
        : undefined;
    }),
  );
  const present = pushed.filter((document) => document !== undefined);
  const [first] = present;
  if (first === undefined)
    throw new TsbuildError(
      'IMAGE_NOT_FOUND',
      `the store has no image of the index ${original.descriptor.digest}`,
    );
  if (present.length < pushed.length) emit?.({ type: 'warning', message: leftOut(index, pushed) });
  // An index of one has no purpose, and without its siblings the digest is another anyway.
  if (present.length === 1 && pushed.length > 1 && first.bytes !== undefined) return first;
  for (const { descriptor, bytes } of present) {
    if (bytes !== undefined)
      await target.putManifest(descriptor.digest, descriptor, bytes, signal ? { signal } : {});
  }
  const same = pushed.every(
    (document, at) => document?.descriptor.digest === index.manifests[at]?.digest,
  );
  return same
    ? original
    : rewritten(original, { manifests: present.map(({ descriptor }) => descriptor) });
}

function leftOut({ manifests }: Index, pushed: readonly unknown[]): string {
  const missing = manifests.filter((_, at) => pushed[at] === undefined);
  const platforms = missing.flatMap(({ platform }) => (platform ? [formatPlatform(platform)] : []));
  return `only what the store has was pushed; left out: ${platforms.join(', ') || `${missing.length} manifests`}`;
}
