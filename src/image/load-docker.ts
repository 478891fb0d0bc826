/** The archive of `docker save`: manifest.json names configurations and layers by their place in the archive. */
import * as v from 'valibot';
import { isTsbuildError, TsbuildError } from '../errors.ts';
import { adoptLayer, layerAt } from '../layer/adopt.ts';
import type { Layer } from '../layer/layer.ts';
import { receiveLayer } from '../layer/receive.ts';
import { parseImageConfig } from '../oci/config.ts';
import { type DiffID, digestOf } from '../oci/digest.ts';
import { check, parseJson } from '../oci/manifest.ts';
import { type Compression, OCI_CONFIG, OCI_LAYER } from '../oci/media-types.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import type { Store } from '../store/store.ts';
import { inTempDir } from '../store/temp.ts';
import { archiveError } from '../tar/entry.ts';
import type { ArchiveReader, Member } from './archive-reader.ts';
import { writeManifest } from './assemble.ts';
import type { LoadOptions } from './load.ts';
import type { SavedImage } from './save.ts';

const manifestSchema = v.array(
  v.looseObject({
    Config: v.string(),
    RepoTags: v.nullish(v.array(v.string()), []),
    Layers: v.nullish(v.array(v.string()), []),
  }),
);

export type DockerImage = v.InferOutput<typeof manifestSchema>[number];

export function readDockerManifest(archive: ArchiveReader): readonly DockerImage[] {
  return check(
    manifestSchema,
    parseJson(archive.member('manifest.json').read(), 'manifest.json'),
    'manifest.json',
  );
}

export async function loadDockerArchive(
  store: Store,
  archive: ArchiveReader,
  options: LoadOptions,
): Promise<readonly SavedImage[]> {
  const images: SavedImage[] = [];
  for (const image of readDockerManifest(archive))
    images.push(await loadOne(store, archive, image, options));
  return images;
}

/** The configuration is kept as it is: its digest is the image's id. */
async function loadOne(
  store: Store,
  archive: ArchiveReader,
  image: DockerImage,
  options: LoadOptions,
): Promise<SavedImage> {
  const bytes = readConfig(archive, image.Config);
  const { diff_ids: diffIDs } = parseImageConfig(bytes).rootfs;
  if (diffIDs.length !== image.Layers.length) {
    throw archiveError(
      `it speaks of ${diffIDs.length} layers, manifest.json of ${image.Layers.length}`,
      image.Config,
    );
  }
  const names = image.RepoTags.map(archiveName);
  const layers: Layer[] = [];
  for (const [at, diffID] of diffIDs.entries()) {
    layers.push(await loadLayer(store, archive.member(image.Layers[at]!), diffID, options));
  }
  const descriptor = writeManifest(store, {
    config: { mediaType: OCI_CONFIG, ...store.writeBlob(bytes) },
    layers: layers.map(({ diffID, size }) => ({ mediaType: OCI_LAYER, digest: diffID, size })),
  });
  return { names, descriptor };
}

/** Named by its digest, in both generations of the format: `<hex>.json` and `blobs/sha256/<hex>`. */
function readConfig(archive: ArchiveReader, name: string): Buffer {
  const bytes = archive.member(name).read();
  const hex = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1];
  if (hex !== undefined && digestOf(bytes) !== `sha256:${hex}`) {
    throw new TsbuildError(
      'DIGEST_MISMATCH',
      `read archive entry ${JSON.stringify(name)}: it has the digest ${digestOf(bytes)}`,
    );
  }
  return bytes;
}

/** A layer as a member of an archive; the tar inside must have the digest that the configuration says. */
async function loadLayer(
  store: Store,
  member: Member,
  diffID: DiffID,
  options: LoadOptions,
): Promise<Layer> {
  return layerAt(store, diffID) ?? receiveMember(store, member, diffID, options);
}

export async function receiveMember(
  store: Store,
  member: Member,
  diffID: DiffID,
  options: LoadOptions,
): Promise<Layer> {
  const { signal, onProgress } = options;
  return inTempDir(store, async (directory) => {
    const request = {
      source: member.open(),
      compression: layerCompressionOf(member),
      diffID,
      directory,
    };
    try {
      const written = await receiveLayer(request, {
        ...(signal ? { signal } : {}),
        ...(onProgress ? { onProgress: (current) => onProgress(diffID, current) } : {}),
      });
      return adoptLayer(store, written);
    } catch (cause) {
      if (!isTsbuildError(cause) || !['ARCHIVE', 'DIGEST_MISMATCH'].includes(cause.code))
        throw cause;
      throw new TsbuildError(
        cause.code,
        `read archive entry ${JSON.stringify(member.name)}: ${cause.message}`,
        { cause },
      );
    }
  });
}

function layerCompressionOf(member: Member): Compression {
  const compression = member.compression();
  if (compression === 'bzip2' || compression === 'xz') {
    throw archiveError(`it is compressed with ${compression}, which layers cannot be`, member.name);
  }
  return compression;
}

/** A name that an archive gives, in full. @throws TsbuildError `ARCHIVE` */
export function archiveName(text: string): string {
  try {
    return formatReference(parseReference(text));
  } catch (cause) {
    throw new TsbuildError(
      'ARCHIVE',
      `read archive: ${JSON.stringify(text.slice(0, 300))} is not a name`,
      { cause },
    );
  }
}
