/** The archive of `docker save`: manifest.json names configurations and layers by their place in the archive. */
import * as v from 'valibot';
import { TsbuildError } from '../errors.ts';
import { parseImageConfig } from '../oci/config.ts';
import { digestOf } from '../oci/digest.ts';
import { check, parseJson } from '../oci/manifest.ts';
import { OCI_CONFIG, OCI_LAYER } from '../oci/media-types.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import type { Store } from '../store/store.ts';
import { archiveError } from '../tar/entry.ts';
import type { ArchiveReader } from './archive-reader.ts';
import { writeManifest } from './assemble.ts';
import type { LoadOptions } from './load.ts';
import { loadLayer, loadTogether } from './load-layers.ts';
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
  const keys = diffIDs.map((diffID, at) => `${image.Layers[at]} ${diffID}`);
  const layers = await loadTogether(options, keys, async (at, loading) =>
    loadLayer(store, archive.member(image.Layers[at]!), diffIDs[at]!, loading),
  );
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
