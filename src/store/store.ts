/**
 * The local store: content by digest, and names for some of it, shared by any number of processes.
 *
 *     home/content/   an OCI image layout, complete at any moment: other tools may read it while we write
 *     home/layers/    indexes and mountable forms of layers, see layer/
 *     home/locks/     files that carry locks, see host/lock.ts; never removed
 *     home/tmp/       what is being written; each name says whose it is, see temp.ts
 *     home/version    the layout's version; written last, so its presence means that the rest exists
 *
 * A blob is written under tmp/, hashed in the same pass, and renamed to its digest. So a reader sees a blob whole or not
 * at all, two writers of one blob do not disturb each other, and `kill -9` costs the blob that was being written.
 * Nothing locks anything but changes of index.json (tags.ts) and the removal of content (lease.ts, gc.ts).
 *
 * The store is a cache with names, and what is flushed follows from that. Blobs are not flushed: a build would wait seconds for
 * bytes that can be had again. index.json, which cannot, is flushed before it is renamed. After a crash of the *machine* a recent
 * blob may therefore be short; its size is compared wherever its presence is asked for (`exists`, `adoptBlob`), bytes are
 * compared with the digest wherever they are read as a blob, and a blob that fails is dropped, so that it is made again.
 *
 *     const store = openStore('/var/lib/tsbuild');
 *     const { digest, size } = store.writeBlob(json);
 *     await store.tag('docker.io/library/app:latest', { mediaType: OCI_MANIFEST, digest, size });
 */
import type { Readable } from 'node:stream';
import type { CallOptions, Fetcher, Pusher } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { openBlobs } from './blobs.ts';
import { openHome } from './home.ts';
import { openTags } from './tags.ts';

export interface BlobInfo {
  readonly digest: Digest;
  readonly size: number;
}

/** An image that the store knows by a full reference, `docker.io/library/app:latest`, or only by its digest. */
export interface StoredImage {
  readonly name?: string;
  readonly descriptor: Descriptor;
}

export interface Store extends Fetcher, Pusher {
  readonly home: string;
  /** The OCI image layout, `home/content`. */
  readonly content: string;
  /** A path inside home. */
  path(...parts: string[]): string;
  /** Makes the directories of the home, unless they are there. Whatever writes does so by itself. */
  prepare(): void;
  /** A new private directory under `home/tmp`; the caller removes it. What dead processes left there is swept. */
  tempDir(): string;
  /** A path for one file that will be renamed into the store; if we die before, a later sweep finds it. */
  tempFile(): string;
  /** Where a blob is or would be. */
  blobPath(digest: Digest): string;
  /** Bytes of a blob that is there. */
  blobSize(digest: Digest): number | undefined;
  /**
   * All bytes of a small blob, verified. @throws TsbuildError `NOT_FOUND`; `DIGEST_MISMATCH`, and the damaged blob is
   * dropped; `MANIFEST` if it is larger than `maxBytes` (4 MiB)
   */
  readBlob(digest: Digest, maxBytes?: number): Buffer;
  writeBlob(bytes: Uint8Array): BlobInfo;
  /** Takes a finished file of this filesystem, hashed by the caller, as the blob `digest`; the file is gone afterwards. */
  adoptBlob(file: string, digest: Digest): void;
  /** Stores a stream. Fails with `DIGEST_MISMATCH`, and stores nothing, if it is not what was expected. */
  ingest(source: Readable, expected?: BlobInfo, options?: CallOptions): Promise<BlobInfo>;
  /** Everything in index.json: named images, and those that are kept by digest alone. */
  images(): readonly StoredImage[];
  /** The named ones. */
  tags(): readonly { readonly name: string; readonly descriptor: Descriptor }[];
  resolveTag(name: string): Descriptor | undefined;
  /** Gives `descriptor` a name. What had the name, and has no other, stays as an image without name. */
  tag(name: string, descriptor: Descriptor): Promise<void>;
  /** Takes a name away, and says whether it was there. Without another name, the image is no longer kept. */
  untag(name: string): Promise<boolean>;
  /** Keeps an image that has no name, so that it can be found by its id and survives `prune` of mere content. */
  keep(descriptor: Descriptor): Promise<void>;
  /** Forgets images: all their names, and the images themselves. Their content goes with the next collection (gc.ts). */
  forget(...digests: readonly Digest[]): Promise<void>;
}

export interface StoreOptions {
  /** An existing private directory in the home's tmp/, for temporary files: it is swept as a whole. */
  readonly temp?: string | undefined;
}

/**
 * Opens the store at `home`. Cheap: one small file is read, nothing is written before the first blob or tag.
 * @throws TsbuildError `STORE` if home cannot be read, or was written by a newer version of tsbuild
 */
export function openStore(home: string, options: StoreOptions = {}): Store {
  const base = openHome(home, options.temp);
  const blobs = openBlobs(base);
  const tags = openTags(base);
  const { home: absolute, content, path, prepare, tempDir, tempFile } = base;
  return { home: absolute, content, path, prepare, tempDir, tempFile, ...blobs, ...tags };
}
