/**
 * The images of the local store, for the API: each function opens the store, does one thing and returns plain data. What
 * they need beyond the store is loaded when they are called.
 */

import type { Readable, Writable } from 'node:stream';
import { defaultHome } from './default-home.ts';
import { isTsbuildError, TsbuildError } from './errors.ts';
import { monotonicNow } from './events.ts';
import type { HistoryRow, ImageDetails, ImageSummary } from './image-views.ts';
import { familiarReference, formatReference, parseReference } from './oci/reference.ts';
import { type OperationContext, startOperation } from './operation.ts';
import type { HostOptions, Operation } from './options.ts';
import { useStore } from './store/lease.ts';
import { openStore, type Store } from './store/store.ts';

export type { HistoryRow, ImageDetails, ImageSummary };

export interface ListImagesOptions extends HostOptions {
  /** Only images of this repository, or with this name if it has a tag. */
  readonly name?: string;
}

/** Newest first. */
export async function listImages(
  options: ListImagesOptions = {},
): Promise<readonly ImageSummary[]> {
  const { summarizeImages } = await import('./image-views.ts');
  return summarizeImages(storeOf(options), options.name);
}

/** In the order of the names or ids. @throws TsbuildError `IMAGE_NOT_FOUND` */
export async function inspectImages(
  options: HostOptions & { readonly images: readonly string[] },
): Promise<readonly ImageDetails[]> {
  const { imageDetails } = await import('./image-views.ts');
  const store = storeOf(options);
  return options.images.map((image) => imageDetails(store, image));
}

/** Newest first. @throws TsbuildError `IMAGE_NOT_FOUND` */
export async function imageHistory(
  options: HostOptions & { readonly image: string },
): Promise<readonly HistoryRow[]> {
  const { historyRows } = await import('./image-views.ts');
  return historyRows(storeOf(options), options.image);
}

export interface TagImageOptions extends HostOptions {
  /** A name or an id. */
  readonly image: string;
  /** The further name. */
  readonly name: string;
}

/** @throws TsbuildError `IMAGE_NOT_FOUND`, `USAGE` if the new name has a digest */
export async function tagImage(options: TagImageOptions): Promise<void> {
  const { findStored } = await import('./image/find.ts');
  const store = storeOf(options);
  const reference = parseReference(options.name);
  if (reference.digest !== undefined) {
    throw new TsbuildError('USAGE', `tag ${options.name}: a name that is given has no digest`);
  }
  await using _lease = await useStore(store, options.signal);
  await store.tag(formatReference(reference), findStored(store, options.image).descriptor);
}

export interface RemoveImagesOptions extends HostOptions {
  /** Names, or ids, which remove an image with all its names. */
  readonly images: readonly string[];
  /** An image that is not there is no error. */
  readonly ignoreMissing?: boolean;
}

/** What was removed: names as people write them, digests of images that had none. Content goes with the next `prune`. */
export async function removeImages(options: RemoveImagesOptions): Promise<readonly string[]> {
  const { removeImage } = await import('./image/remove.ts');
  const store = storeOf(options);
  const all: string[] = [];
  for (const image of options.images) {
    try {
      const { untagged, removed } = await removeImage(store, image);
      all.push(...(untagged.length > 0 ? untagged.map(familiar) : removed));
    } catch (error) {
      const isMissing = isTsbuildError(error) && error.code === 'IMAGE_NOT_FOUND';
      if (!isMissing || !options.ignoreMissing) throw error;
    }
  }
  return all;
}

export interface SaveImagesOptions extends HostOptions {
  readonly images: readonly string[];
  /** `docker` is also an OCI layout. */
  readonly format: 'docker' | 'oci';
  /** A file, or a stream that is not ended. */
  readonly dest: string | Writable;
}

/** @throws TsbuildError `IMAGE_NOT_FOUND`, `OUTPUT`, `DISK_FULL` */
export async function saveImages(options: SaveImagesOptions): Promise<void> {
  const [{ saveImages: save }, { findStored }, { openOutput }] = await Promise.all([
    import('./image/save.ts'),
    import('./image/find.ts'),
    import('./host/output.ts'),
  ]);
  const { dest, format, signal } = options;
  const store = storeOf(options);
  await using _lease = await useStore(store, signal);
  const found = options.images.map((image) => findStored(store, image));
  const images = found.map(({ name, descriptor }) => ({
    names: name === undefined ? [] : [name],
    descriptor,
  }));
  const destination = typeof dest === 'string' ? { file: dest } : { stream: dest };
  await using output = openOutput(destination, signal === undefined ? {} : { signal });
  await save(store, images, format, output);
}

export interface LoadImagesOptions extends HostOptions {
  /** A file or a stream: what `docker save` writes, or an OCI layout as a tar; plain or gzip. */
  readonly source: string | Readable;
}

/** One name of an image that was in the archive, or an image without name. */
export interface LoadedName {
  /** As people write it. */
  readonly name?: string;
  readonly imageId: string;
}

/** @throws TsbuildError `ARCHIVE`, `DIGEST_MISMATCH`, `MANIFEST`, `DISK_FULL` */
export function loadImages(options: LoadImagesOptions): Operation<readonly LoadedName[]> {
  return startOperation((operation) => performLoad(options, operation), options.signal);
}

async function performLoad(
  options: LoadImagesOptions,
  { emit, signal }: OperationContext,
): Promise<readonly LoadedName[]> {
  const [{ loadImages: load }, { openEnvironment }] = await Promise.all([
    import('./image/load.ts'),
    import('./environment.ts'),
  ]);
  await using environment = openEnvironment(options, emit);
  const started = monotonicNow();
  const step = 'load';
  const name = `load ${typeof options.source === 'string' ? options.source : 'stdin'}`;
  const end = (outcome: 'done' | 'failed') =>
    emit({ type: 'step.end', step, outcome, seconds: (monotonicNow() - started) / 1000 });
  emit({ type: 'plan', steps: [{ id: step, kind: 'load', name }] });
  emit({ type: 'step.start', step });
  try {
    const images = await load(environment.store, options.source, {
      workers: environment.workers,
      signal,
      onProgress: (item, current) =>
        emit({ type: 'step.progress', step, item, current, unit: 'bytes' }),
    });
    end('done');
    return images.flatMap(({ names, imageID: imageId }) =>
      names.length === 0 ? [{ imageId }] : names.map((each) => ({ name: familiar(each), imageId })),
    );
  } catch (error) {
    end('failed');
    throw error;
  }
}

function familiar(name: string): string {
  return familiarReference(parseReference(name));
}

function storeOf(options: HostOptions): Store {
  return openStore(options.home ?? defaultHome(options.env ?? process.env));
}
