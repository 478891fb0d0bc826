/**
 * Takes in the images of an archive: an OCI image layout, what `docker save` writes (of today and of old), or both in one.
 * Whatever it holds, its layers end up as tar and index, everything is checked against its digest on the way in, and only
 * what is complete gets its names.
 */
import type { Readable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import type { Workers } from '../host/workers.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { useStore } from '../store/lease.ts';
import type { Store } from '../store/store.ts';
import { inTempDir } from '../store/temp.ts';
import { openArchive } from './archive-reader.ts';
import { imageIDOf } from './find.ts';
import { loadDockerArchive } from './load-docker.ts';
import { loadLayout } from './load-layout.ts';
import { defaultManifest, listManifests } from './select.ts';

export interface LoadOptions {
  /** For large layers. Without, this thread does everything. */
  readonly workers?: () => Promise<Workers>;
  readonly signal?: AbortSignal;
  /** Bytes of one layer's tar so far. */
  readonly onProgress?: (layer: Digest, current: number) => void;
}

export interface LoadedImage {
  /** Full references; none if the archive does not name it. */
  readonly names: readonly string[];
  readonly descriptor: Descriptor;
  readonly imageID: Digest;
}

/** @throws TsbuildError `ARCHIVE`, `DIGEST_MISMATCH`, `MANIFEST`, `DISK_FULL`, `STORE` */
export async function loadImages(
  store: Store,
  source: string | Readable,
  options: LoadOptions = {},
): Promise<readonly LoadedImage[]> {
  await using _lease = await useStore(store, options.signal);
  return inTempDir(store, async (directory) => {
    const archive = await openArchive(source, directory, options.signal);
    const isLayout = archive.has('oci-layout') && archive.has('index.json');
    if (!isLayout && !archive.has('manifest.json')) throw notImages(archive.has('repositories'));
    const found = await (isLayout ? loadLayout : loadDockerArchive)(store, archive, options);
    const images: LoadedImage[] = [];
    for (const { names, descriptor } of found) {
      for (const name of names) await store.tag(name, descriptor);
      if (names.length === 0) await store.keep(descriptor);
      const manifest = defaultManifest(listManifests(store, descriptor)) ?? descriptor;
      images.push({ names, descriptor, imageID: imageIDOf(store, manifest) ?? descriptor.digest });
    }
    return images;
  });
}

function notImages(isAncient: boolean): TsbuildError {
  return new TsbuildError(
    'ARCHIVE',
    'read archive: it holds no images: neither an OCI layout nor a manifest.json',
    {
      hint: isAncient
        ? 'it was saved by Docker before 1.10: load it there and save it again'
        : '`docker save` or `tsbuild save` make such archives; a root filesystem goes into an image by FROM scratch and ADD',
    },
  );
}
