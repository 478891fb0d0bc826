/**
 * `copy`: an image with all its platforms from one place to another, byte for byte: what arrives has the digest that it had.
 * Only what never was compressed is, on its way into a registry. Every place is opened as a source or a target of descriptors, and
 * copyGraph does the rest.
 */

import { type CopyPlace, formatPlace, parsePlace } from './copy-place.ts';
import { type Environment, openEnvironment } from './environment.ts';
import { TsbuildError } from './errors.ts';
import { monotonicNow } from './events.ts';
import { layoutTarget } from './export/layout-target.ts';
import { openOutput } from './host/output.ts';
import { findEntry, openArchiveSource } from './image/archive-source.ts';
import { copyGraph, type CopyOptions as GraphOptions, readDocument } from './image/copy-graph.ts';
import { copyReferrers, type ListReferrers, layoutReferrers } from './image/copy-referrers.ts';
import { findStored } from './image/find.ts';
import { loadImages } from './image/load.ts';
import { indexEntries, saveImages } from './image/save.ts';
import { bestPlatform, defaultManifest, isAttestation } from './image/select.ts';
import { startTransfer, type Transfer } from './image/transfer-progress.ts';
import type { Fetcher, Pusher } from './oci/content.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { Digest } from './oci/digest.ts';
import { isIndex, parseManifestOrIndex } from './oci/manifest.ts';
import { isIndexType } from './oci/media-types.ts';
import { formatPlatform, type Platform, parsePlatform } from './oci/platform.ts';
import { formatReference, parseReference } from './oci/reference.ts';
import type { OperationContext } from './operation.ts';
import type { CopyOptions, CopyResult } from './options.ts';
import type { Repository } from './registry/repository.ts';
import { pushReference } from './ship.ts';
import { asStep } from './step-events.ts';
import { layoutFetcher } from './store/layout.ts';
import { openStore, type Store } from './store/store.ts';
import { inTempDir } from './store/temp.ts';

interface Copying {
  readonly environment: Environment;
  readonly operation: OperationContext;
  /** For what has to be kept on the way. */
  readonly directory: string;
  readonly platform: Platform | undefined;
  /** Whether what refers to the image comes with it. */
  readonly withReferrers: boolean;
  readonly step: string;
}

interface Source {
  readonly blobs: Fetcher;
  readonly root: Descriptor;
  /** Where there can be such. */
  readonly referrers?: ListReferrers;
  /** Where it is a repository: blobs may be mounted from it. */
  readonly repository?: Repository;
  /** Where it is a store, whose layers never were compressed. */
  readonly store?: Store;
}

export async function performCopy(
  options: CopyOptions,
  operation: OperationContext,
): Promise<CopyResult> {
  const [from, to] = [parsePlace(options.source), parsePlace(options.destination)];
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  if (options.referrers) checkReferrers(from, to);
  await using environment = openEnvironment(options, operation.emit);
  const started = monotonicNow();
  const name = `copy ${formatPlace(from)} to ${formatPlace(to)}`;
  const descriptor = await asStep({ id: name, kind: 'push', name }, operation.emit, (step) =>
    inTempDir(environment.store, async (directory) => {
      const withReferrers = options.referrers ?? false;
      const copying = { environment, operation, directory, platform, withReferrers, step };
      const source = await openSource(copying, from);
      return deliver(copying, await narrowed(copying, source, to), to);
    }),
  );
  const seconds = (monotonicNow() - started) / 1000;
  operation.emit({ type: 'result', digest: descriptor.digest, names: [], seconds });
  return { descriptor, digest: descriptor.digest };
}

async function openSource(copying: Copying, place: CopyPlace): Promise<Source> {
  const { environment, directory, operation } = copying;
  const { signal } = operation;
  switch (place.type) {
    case 'registry': {
      const reference = parseReference(place.reference);
      const registry = await environment.registry();
      const blobs = registry.source(reference);
      const root = await blobs.resolve(reference.digest ?? reference.tag ?? 'latest', { signal });
      if (root === undefined) throw notFound(place.reference);
      const repository = registry.repository(reference);
      return { blobs, root, repository, referrers: repository.referrers };
    }
    case 'store': {
      const { store } = environment;
      return { blobs: store, root: findStored(store, place.name).descriptor, store };
    }
    case 'oci': {
      const { readEntries } = await import('./export/layout-directory.ts');
      const images = readEntries(`${place.path}/index.json`);
      return layoutSource(layoutFetcher(place.path), images, place);
    }
    case 'oci-archive': {
      const { blobs, images } = await openArchiveSource(place.path, directory, signal);
      return layoutSource(blobs, images, place);
    }
    case 'docker-archive':
      return openDockerArchive(copying, place.path, place.name);
  }
}

function layoutSource(
  blobs: Fetcher,
  images: readonly Descriptor[],
  place: CopyPlace & { readonly name?: string },
): Source {
  const root = findEntry(images, place.name, formatPlace(place));
  return { blobs, root, referrers: layoutReferrers(blobs, images) };
}

/** Its layers have no digests of their own before they are read: it is loaded as into a store. */
async function openDockerArchive(
  { directory, environment: { workers }, operation: { signal } }: Copying,
  path: string,
  name: string | undefined,
): Promise<Source> {
  const store = openStore(`${directory}/loaded`);
  const images = await loadImages(store, path, { signal, workers });
  const wanted = name === undefined ? undefined : formatReference(parseReference(name));
  const found =
    wanted === undefined
      ? images.length === 1 && images[0]
      : images.find(({ names }) => names.includes(wanted));
  if (!found) {
    throw new TsbuildError('USAGE', `docker-archive:${path} has several images: say which`, {
      hint: `it has ${images.flatMap(({ names }) => names).join(', ')}`,
    });
  }
  return { blobs: store, root: found.descriptor, store };
}

/** One platform if that is all that was asked for, or all that there is room for. */
async function narrowed(copying: Copying, source: Source, to: CopyPlace): Promise<Source> {
  const { platform, operation } = copying;
  const isSingle = platform !== undefined || to.type === 'docker-archive';
  if (!isSingle || !isIndexType(source.root.mediaType)) return source;
  const { signal } = operation;
  const bytes = await readDocument(source.blobs, source.root, { signal });
  const index = parseManifestOrIndex(bytes, source.root.mediaType);
  const images = isIndex(index) ? index.manifests.filter((child) => !isAttestation(child)) : [];
  const chosen = platform === undefined ? defaultManifest(images) : bestPlatform(images, platform);
  if (chosen !== undefined) return { ...source, root: chosen };
  const existing = images.flatMap((image) =>
    image.platform ? [formatPlatform(image.platform)] : [],
  );
  throw new TsbuildError('PLATFORM', `${source.root.digest} has no image for the platform`, {
    hint: `it exists for ${existing.join(', ')}`,
  });
}

async function deliver(copying: Copying, source: Source, to: CopyPlace): Promise<Descriptor> {
  const { root } = source;
  switch (to.type) {
    case 'registry':
      return toRegistry(copying, source, to.reference);
    case 'store': {
      const { store } = copying.environment;
      throw new TsbuildError(
        'USAGE',
        `copy to the store ${store.home}: images come there otherwise`,
        {
          hint: 'use tsbuild pull, or tsbuild load',
        },
      );
    }
    case 'oci': {
      const target = layoutTarget(to.path);
      const referrers = await transfer(copying, source, target);
      target.list([named(root, to.name), ...referrers]);
      return root;
    }
    default: {
      const store = openStore(`${copying.directory}/copied`);
      const referrers = await transfer(copying, source, store);
      await using output = openOutput({ file: to.path }, { signal: copying.operation.signal });
      const names = to.name === undefined ? [] : [formatReference(parseReference(to.name))];
      const format = to.type === 'oci-archive' ? 'oci' : 'docker';
      const unnamed = referrers.map((descriptor) => ({ names: [], descriptor }));
      await saveImages(store, [{ names, descriptor: root }, ...unnamed], format, output);
      return root;
    }
  }
}

async function toRegistry(copying: Copying, source: Source, name: string): Promise<Descriptor> {
  const { environment, operation } = copying;
  const reference = parseReference(name);
  if (source.store !== undefined) {
    const request = { reference: name, descriptor: source.root, store: source.store, ...operation };
    return (await pushReference(environment, request)).descriptor;
  }
  const target = (await environment.registry()).repository(reference);
  await transfer(copying, source, mounting(target, source.repository));
  if (reference.tag !== undefined) {
    const { signal } = operation;
    const bytes = await readDocument(source.blobs, source.root, { signal });
    await target.putManifest(reference.tag, source.root, bytes, { signal });
  }
  return source.root;
}

/** Blobs of another repository of the same registry need not travel. */
function mounting(
  target: Repository,
  source: Repository | undefined,
): Pusher & Pick<Fetcher, 'exists'> {
  if (source === undefined || source.registry !== target.registry) return target;
  return {
    exists: target.exists,
    push: (descriptor, open, options) =>
      target.push(descriptor, open, { ...options, mountFrom: source.repository }),
  };
}

async function transfer(
  { operation, step, withReferrers }: Copying,
  { blobs, root, referrers }: Source,
  target: Pusher & Pick<Fetcher, 'exists'>,
): Promise<readonly Descriptor[]> {
  const { emit, signal } = operation;
  const transfers = new Map<Digest, Transfer>();
  const of = (descriptor: Descriptor) => {
    const known =
      transfers.get(descriptor.digest) ?? startTransfer(emit, step, descriptor, 'download');
    transfers.set(descriptor.digest, known);
    return known;
  };
  const options: GraphOptions = {
    signal,
    onProgress: (descriptor, current) => of(descriptor).moved(current),
    onCopied: (descriptor, outcome) =>
      of(descriptor).done(outcome === 'pushed' ? undefined : outcome),
  };
  await copyGraph(blobs, target, root, options);
  return withReferrers && referrers ? copyReferrers(blobs, referrers, target, root, options) : [];
}

/** The local store keeps images alone, and so do docker archives. */
function checkReferrers(from: CopyPlace, to: CopyPlace): void {
  const lacking = [from, to].find(({ type }) => type === 'store' || type === 'docker-archive');
  if (lacking === undefined) return;
  throw new TsbuildError('USAGE', `copy: ${formatPlace(lacking)} has no referrers`, {
    hint: 'leave out --referrers, or copy between registries, oci: and oci-archive:',
  });
}

/** In index.json, an image has a whole name, or only a tag. */
function named(descriptor: Descriptor, name: string | undefined): Descriptor {
  if (name === undefined) return descriptor;
  const full = /[/:]/.test(name) ? formatReference(parseReference(name)) : undefined;
  return full === undefined
    ? { ...descriptor, annotations: { 'org.opencontainers.image.ref.name': name } }
    : indexEntries([{ names: [full], descriptor }])[0]!;
}

function notFound(reference: string): TsbuildError {
  return new TsbuildError('IMAGE_NOT_FOUND', `there is no image ${reference}`, {
    hint: 'check its name and tag; a registry may also hide what you may not see: tsbuild login',
  });
}
