/** An OCI image layout in an archive as somewhere to fetch from: nothing of it is unpacked, and what is read is verified. */
import { pipeline, type Readable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import { verifyStream } from '../host/hash-stream.ts';
import type { Fetcher } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { familiarReference, formatReference, parseReference } from '../oci/reference.ts';
import { parseLayoutIndex, REF_NAME } from '../store/layout.ts';
import { type ArchiveReader, openArchive } from './archive-reader.ts';
import { blobName, CONTAINERD_NAME } from './save.ts';
import { isArtifact } from './select.ts';

export interface ArchiveSource {
  readonly blobs: Fetcher;
  /** The entries of its index.json. */
  readonly images: readonly Descriptor[];
}

/** What has to be spooled goes to `directory`. @throws TsbuildError `ARCHIVE`, `MANIFEST`, `NOT_FOUND` */
export async function openArchiveSource(
  file: string,
  directory: string,
  signal?: AbortSignal,
): Promise<ArchiveSource> {
  const archive = await openArchive(file, directory, signal);
  if (!archive.has('index.json')) {
    throw new TsbuildError('ARCHIVE', `read ${file}: it holds no OCI image layout`, {
      hint: 'what `docker save` of an old Docker wrote is read with docker-archive:',
    });
  }
  const { manifests } = parseLayoutIndex(archive.member('index.json').read());
  return { blobs: archiveFetcher(archive), images: manifests };
}

function archiveFetcher(archive: ArchiveReader): Fetcher {
  const has = ({ digest, size }: Descriptor) =>
    archive.has(blobName(digest)) && archive.member(blobName(digest)).size === size;
  return {
    exists: async (descriptor) => has(descriptor),
    async fetch(descriptor): Promise<Readable> {
      if (!has(descriptor))
        throw new TsbuildError('NOT_FOUND', `the archive has no blob ${descriptor.digest}`);
      // The callback is the pipeline's due; who reads hears of a failure.
      return pipeline(
        archive.member(blobName(descriptor.digest)).open(),
        verifyStream(descriptor),
        () => {},
      );
    },
  };
}

/**
 * The entry of a layout's index.json that is meant: by a tag, a name or a digest, or the only one there is.
 * @throws TsbuildError `IMAGE_NOT_FOUND`, `USAGE` if it could be several
 */
export function findEntry(
  images: readonly Descriptor[],
  wanted: string | undefined,
  where: string,
): Descriptor {
  const digests = new Set(images.filter((entry) => !isArtifact(entry)).map(({ digest }) => digest));
  const known = images.flatMap(namesOf);
  const found =
    wanted === undefined
      ? digests.size === 1
        ? images.find((entry) => !isArtifact(entry))
        : undefined
      : images.find((entry) => entry.digest === wanted || namesOf(entry).includes(wanted));
  if (found !== undefined) {
    const { annotations: _, ...descriptor } = found;
    return descriptor;
  }
  const hint = known.length > 0 ? `it has ${known.join(', ')}` : 'name it by its digest';
  if (wanted === undefined && digests.size > 1)
    throw new TsbuildError('USAGE', `${where} has several images: say which`, { hint });
  throw new TsbuildError('IMAGE_NOT_FOUND', `${where} has no image ${wanted ?? ''}`.trim(), {
    hint,
  });
}

/** A full name in every form that people may write. */
function namesOf({ annotations = {} }: Descriptor): readonly string[] {
  const tag = annotations[REF_NAME];
  const name = annotations[CONTAINERD_NAME];
  return [...new Set([...(tag ? [tag] : []), ...(name ? forms(name) : [])])];
}

function forms(name: string): readonly string[] {
  const reference = parseReference(name);
  return [familiarReference(reference), formatReference(reference)];
}
