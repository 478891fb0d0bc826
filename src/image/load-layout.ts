/** An OCI image layout in an archive, with what `docker save` adds to one: https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md */
import { TsbuildError } from '../errors.ts';
import { createHasher } from '../host/hash-stream.ts';
import { layerAt } from '../layer/adopt.ts';
import { parseImageConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { DiffID, Digest } from '../oci/digest.ts';
import { isIndex, type Manifest, parseManifestOrIndex } from '../oci/manifest.ts';
import { layerCompression } from '../oci/media-types.ts';
import { parseLayoutIndex, REF_NAME } from '../store/layout.ts';
import type { Store } from '../store/store.ts';
import type { ArchiveReader, Member } from './archive-reader.ts';
import type { LoadOptions } from './load.ts';
import { archiveName, readDockerManifest } from './load-docker.ts';
import { loadTogether, receiveMember } from './load-layers.ts';
import { blobName, CONTAINERD_NAME, type SavedImage } from './save.ts';
import { isArtifact, isAttestation, MAX_DEPTH } from './select.ts';

interface Loading extends LoadOptions {
  readonly store: Store;
  readonly archive: ArchiveReader;
  /** What was loaded: a small archive could name the same index a thousand times, and so could that index. */
  readonly loaded: Set<string>;
}

export async function loadLayout(
  store: Store,
  archive: ArchiveReader,
  options: LoadOptions,
): Promise<readonly SavedImage[]> {
  const loading: Loading = { ...options, store, archive, loaded: new Set() };
  const { manifests } = parseLayoutIndex(archive.member('index.json').read());
  const images = new Map<Digest, { descriptor: Descriptor; names: Set<string> }>();
  for (const entry of manifests.filter((entry) => !isAttestation(entry) && !isArtifact(entry))) {
    const known = images.get(entry.digest);
    if (known === undefined) await loadGraph(loading, entry);
    const { annotations: _, ...descriptor } = entry;
    const image = known ?? { descriptor, names: new Set() };
    for (const name of namesOf(entry)) image.names.add(name);
    images.set(entry.digest, image);
  }
  addDockerNames(loading, [...images.values()]);
  return [...images.values()].map(({ descriptor, names }) => ({ descriptor, names: [...names] }));
}

/** containerd's annotation is a full name. OCI's may be one, or a mere tag, which names nothing by itself. */
function namesOf({ annotations = {} }: Descriptor): readonly string[] {
  const full = annotations[CONTAINERD_NAME];
  if (full !== undefined) return [archiveName(full)];
  const name = annotations[REF_NAME];
  return name !== undefined && /[/:]/.test(name) ? [archiveName(name)] : [];
}

/** Names that only manifest.json has. It knows images by their configuration. */
function addDockerNames(
  { archive, store }: Loading,
  images: readonly { descriptor: Descriptor; names: Set<string> }[],
): void {
  if (!archive.has('manifest.json')) return;
  const named = new Set(images.flatMap(({ names }) => [...names]));
  for (const { Config, RepoTags } of readDockerManifest(archive)) {
    const image = images.find(({ descriptor }) => configNames(store, descriptor).includes(Config));
    for (const name of RepoTags.map(archiveName)) if (!named.has(name)) image?.names.add(name);
  }
}

function configNames(store: Store, descriptor: Descriptor): readonly string[] {
  const document = parseManifestOrIndex(store.readBlob(descriptor.digest), descriptor.mediaType);
  return isIndex(document) ? [] : [blobName(document.config.digest)];
}

/** Children first; a document is stored as the bytes that it came in. */
async function loadGraph(loading: Loading, descriptor: Descriptor, depth = 0): Promise<void> {
  if (depth > MAX_DEPTH)
    throw new TsbuildError('MANIFEST', `indexes nest deeper than ${MAX_DEPTH} levels`);
  const { archive, store, loaded } = loading;
  const key = `${descriptor.digest} ${isAttestation(descriptor)}`;
  if (loaded.has(key)) return;
  loaded.add(key);
  const bytes = readVerified(archive, descriptor);
  const document = parseManifestOrIndex(bytes, descriptor.mediaType);
  if (isIndex(document)) {
    // A save of one platform has the whole index, but not the others' manifests.
    const present = document.manifests.filter(({ digest }) => archive.has(blobName(digest)));
    if (present.length === 0)
      throw new TsbuildError(
        'ARCHIVE',
        `read archive: it has nothing of the index ${descriptor.digest}`,
      );
    for (const child of present) await loadGraph(loading, child, depth + 1);
  } else if (isAttestation(descriptor)) {
    for (const child of [document.config, ...document.layers]) await copyBlob(loading, child);
  } else {
    await loadManifest(loading, document);
  }
  store.writeBlob(bytes);
}

async function loadManifest(loading: Loading, manifest: Manifest): Promise<void> {
  const { archive, store } = loading;
  const bytes = readVerified(archive, manifest.config);
  const { diff_ids: diffIDs } = parseImageConfig(bytes).rootfs;
  if (diffIDs.length !== manifest.layers.length) {
    throw new TsbuildError(
      'MANIFEST',
      `image ${manifest.config.digest} has ${diffIDs.length} diffIDs for ${manifest.layers.length} layers`,
    );
  }
  // Two blobs may hold the same tar.
  const keys = manifest.layers.map((layer, at) => `${layer.digest} ${diffIDs[at]}`);
  await loadTogether(loading, keys, (at, options) =>
    loadLayer({ ...loading, ...options }, manifest.layers[at]!, diffIDs[at]!),
  );
  store.writeBlob(bytes);
}

async function loadLayer(loading: Loading, layer: Descriptor, diffID: DiffID): Promise<void> {
  const { archive, store } = loading;
  const compression = layerCompression(layer.mediaType);
  if (compression === undefined)
    throw new TsbuildError('MANIFEST', `${layer.digest} is no layer: ${layer.mediaType}`);
  const member = blobMember(archive, layer);
  // A compressed layer stays as it came, so that a push moves the same blob; its tar lies beside it.
  if (compression !== 'none') await copyBlob(loading, layer);
  else if (layer.digest !== diffID)
    throw mismatch(member, `its digest is not the diffID ${diffID} of the configuration`);
  // A plain layer's size is known, and one that a crash left short is received again.
  const found = layerAt(store, diffID);
  if (found === undefined || (compression === 'none' && found.size !== layer.size))
    await receiveMember(store, member, diffID, loading);
}

async function copyBlob(
  { archive, store, signal }: Loading,
  descriptor: Descriptor,
): Promise<void> {
  const member = blobMember(archive, descriptor);
  await store.push(descriptor, async () => member.open(), signal ? { signal } : {});
}

function readVerified(archive: ArchiveReader, descriptor: Descriptor): Buffer {
  const member = blobMember(archive, descriptor);
  const bytes = member.read();
  const hasher = createHasher(descriptor, `read archive entry ${JSON.stringify(member.name)}`);
  hasher.update(bytes);
  hasher.finish();
  return bytes;
}

function blobMember(archive: ArchiveReader, descriptor: Descriptor): Member {
  const member = archive.member(blobName(descriptor.digest));
  if (member.size !== descriptor.size)
    throw mismatch(member, `it has ${member.size} bytes instead of ${descriptor.size}`);
  return member;
}

function mismatch(member: Member, why: string): TsbuildError {
  return new TsbuildError(
    'DIGEST_MISMATCH',
    `read archive entry ${JSON.stringify(member.name)}: ${why}`,
  );
}
