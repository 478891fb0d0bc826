/**
 * Brings an image from a registry into the store: resolves the tag, chooses the manifest for the platform, fetches the
 * layers at once, each inflated, verified and indexed while it arrives, and gives the image its name when all of it is
 * there. Documents are stored as the bytes that they came in. What the store has is not fetched.
 */
import pLimit from 'p-limit';
import { isTsbuildError, TsbuildError } from '../errors.ts';
import type { EventSink } from '../events.ts';
import type { Workers } from '../host/workers.ts';
import { type ImageConfig, parseImageConfig } from '../oci/config.ts';
import type { Fetcher, Resolver } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { type Index, isIndex, type Manifest, parseManifestOrIndex } from '../oci/manifest.ts';
import { formatPlatform, normalizePlatform, type Platform } from '../oci/platform.ts';
import { familiarReference, formatReference, type Reference } from '../oci/reference.ts';
import { useStore } from '../store/lease.ts';
import type { Store } from '../store/store.ts';
import { readDocument } from './copy-graph.ts';
import { pullLayer } from './pull-layer.ts';
import { bestPlatform, isAttestation, MAX_DEPTH } from './select.ts';
import { together } from './together.ts';

export interface PullOptions extends ReceiveOptions {
  /** Where the image is: the repository of `reference`. */
  readonly source: Fetcher & Resolver;
  readonly reference: Reference;
}

/** What it takes to get an image from somewhere, be it a registry or a layout. */
export interface ReceiveOptions {
  readonly store: Store;
  readonly source: Fetcher;
  readonly platform: Platform;
  /** The step that progress is told for. */
  readonly step: string;
  readonly emit?: EventSink;
  /** For large layers. Without, this thread does everything. */
  readonly workers?: () => Promise<Workers>;
  readonly signal?: AbortSignal;
  /** Layers at once. */
  readonly concurrency?: number;
}

export interface PulledImage extends ReceivedImage {
  /** Full reference. */
  readonly name: string;
  /** What the name stands for: an index, or the manifest. */
  readonly descriptor: Descriptor;
}

export interface ReceivedImage {
  /** The manifest for the platform. */
  readonly manifest: Descriptor;
  readonly imageID: Digest;
  /** Whether anything was fetched, or the name, if it has one, meant something else before. */
  readonly changed: boolean;
}

/** Where an image comes from. */
interface Origin {
  readonly root: Descriptor;
  /** For messages. */
  readonly title: string;
  /** `host/path`, if it is a registry's. */
  readonly repository?: string;
}

/** A pull under way. */
interface Pulling extends ReceiveOptions, Origin {
  /** Whether the source had to send anything besides its answer to what the tag stands for. */
  fetched: boolean;
}

/** The way from what was named to the image of one platform. */
interface Chosen {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  /** The manifest's bytes, then those of the indexes above it: the order in which they may be stored. */
  readonly documents: readonly Buffer[];
}

const CONCURRENCY = 4;

/** @throws TsbuildError `IMAGE_NOT_FOUND`, `PLATFORM`, `MANIFEST`, `DIGEST_MISMATCH`, `ARCHIVE`, and what the source throws */
export async function pullImage(options: PullOptions): Promise<PulledImage> {
  const { store, reference, signal } = options;
  await using _lease = await useStore(store, signal);
  const name = formatReference(reference);
  // Of an image that is not here, layers will come: a thread can start while the registry is asked for its manifest.
  if (store.resolveTag(name) === undefined) void options.workers?.().then((pool) => pool.warm());
  const root = await resolveRoot(options);
  const received = await receiveImage(options, {
    root,
    title: familiarReference(reference),
    repository: `${reference.registry}/${reference.repository}`,
  });
  const changed = received.changed || store.resolveTag(name)?.digest !== root.digest;
  if (changed) await store.tag(name, root);
  return { ...received, name, descriptor: root, changed };
}

/**
 * Brings the image of one platform without giving it a name: whoever wants it to stay holds a lease.
 * @throws TsbuildError what {@link pullImage} throws
 */
export async function receiveImage(
  options: ReceiveOptions,
  origin: Origin,
): Promise<ReceivedImage> {
  const pulling: Pulling = { ...options, ...origin, fetched: false };
  const { descriptor, manifest, documents } = await choose(pulling);
  const configBytes = await documentBytes(pulling, manifest.config);
  await pullLayers(pulling, manifest, parseImageConfig(configBytes));
  for (const bytes of [configBytes, ...documents]) options.store.writeBlob(bytes);
  return { manifest: descriptor, imageID: manifest.config.digest, changed: pulling.fetched };
}

async function resolveRoot({ source, reference, signal }: PullOptions): Promise<Descriptor> {
  const wanted = reference.digest ?? reference.tag ?? 'latest';
  const root = await source.resolve(wanted, signal ? { signal } : {});
  if (root !== undefined) return root;
  throw new TsbuildError(
    'IMAGE_NOT_FOUND',
    `${reference.registry} has no image ${familiarReference(reference)}`,
    {
      hint: 'check its name and tag; a registry may also hide what you may not see: tsbuild login',
    },
  );
}

async function choose(pulling: Pulling): Promise<Chosen> {
  const documents: Buffer[] = [];
  let descriptor = pulling.root;
  for (let depth = 0; depth <= MAX_DEPTH; depth += 1) {
    const bytes = await documentBytes(pulling, descriptor);
    documents.unshift(bytes);
    const document = parseManifestOrIndex(bytes, descriptor.mediaType);
    if (!isIndex(document)) return { descriptor, manifest: document, documents };
    descriptor = forPlatform(pulling, document);
  }
  throw new TsbuildError('MANIFEST', `indexes nest deeper than ${MAX_DEPTH} levels`);
}

function forPlatform({ title, platform }: Pulling, index: Index): Descriptor {
  const images = index.manifests.filter((manifest) => !isAttestation(manifest));
  const [only] = images;
  // An index need not say what its manifests are for.
  const found =
    bestPlatform(images, platform) ??
    (images.length === 1 && only?.platform === undefined ? only : undefined);
  if (found !== undefined) return found;
  const existing = images.flatMap((image) =>
    image.platform ? [formatPlatform(image.platform)] : [],
  );
  throw new TsbuildError(
    'PLATFORM',
    `image ${title} does not exist for ${formatPlatform(platform)}`,
    {
      hint: existing.length > 0 ? `it exists for ${existing.join(', ')}` : 'its index is empty',
    },
  );
}

/** From the store if it is there. */
async function documentBytes(pulling: Pulling, descriptor: Descriptor): Promise<Buffer> {
  const { store, source, signal } = pulling;
  if (store.blobSize(descriptor.digest) === descriptor.size) {
    try {
      return store.readBlob(descriptor.digest);
    } catch (error) {
      // The store has dropped it.
      if (!isTsbuildError(error) || error.code !== 'DIGEST_MISMATCH') throw error;
    }
  }
  pulling.fetched = true;
  return readDocument(source, descriptor, signal ? { signal } : {});
}

async function pullLayers(
  pulling: Pulling,
  manifest: Manifest,
  config: ImageConfig,
): Promise<void> {
  const { diff_ids: diffIDs } = config.rootfs;
  if (diffIDs.length !== manifest.layers.length) {
    const counts = `${manifest.layers.length} layers, its configuration speaks of ${diffIDs.length}`;
    throw new TsbuildError('MANIFEST', `image ${pulling.title}: its manifest has ${counts}`);
  }
  warnOfPlatform(pulling, config);
  const [largest] = manifest.layers.toSorted((a, b) => b.size - a.size);
  // An image may have the same layer twice.
  const layers = new Map(
    manifest.layers.map((layer, at) => [
      `${layer.digest} ${diffIDs[at]}`,
      { layer, diffID: diffIDs[at]!, isLargest: layer.digest === largest?.digest },
    ]),
  );
  const limit = pLimit(pulling.concurrency ?? CONCURRENCY);
  const fetched = await together(pulling.signal, (signal) =>
    [...layers.values()].map((layer) => limit(() => pullLayer({ ...pulling, ...layer, signal }))),
  );
  pulling.fetched ||= fetched.includes(true);
}

/** An image of one platform is taken as it is, as Docker does: its author may have left out to say what it is for. */
function warnOfPlatform({ platform, title, emit }: Pulling, config: ImageConfig): void {
  const { os, architecture, variant } = config;
  const own = normalizePlatform({ os, architecture, ...(variant ? { variant } : {}) });
  if (bestPlatform([{ platform: own }], platform) !== undefined) return;
  emit?.({
    type: 'warning',
    message: `image ${title} is for ${formatPlatform(own)}, not for ${formatPlatform(platform)}`,
  });
}
