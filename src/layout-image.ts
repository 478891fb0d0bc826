/** `--build-context NAME=oci-layout://…`: an image of an OCI image layout in a directory, brought into the store without a name. */
import path from 'node:path';
import { type LayoutLocation, parseLayoutLocation } from './context/location.ts';
import type { Environment } from './environment.ts';
import { TsbuildError } from './errors.ts';
import { readEntries } from './export/layout-directory.ts';
import { findEntry } from './image/archive-source.ts';
import { readDocument } from './image/copy-graph.ts';
import { type Image, readImage } from './image/image.ts';
import { receiveImage } from './image/pull.ts';
import type { Fetcher } from './oci/content.ts';
import type { Descriptor } from './oci/descriptor.ts';
import { isIndex, parseManifestOrIndex } from './oci/manifest.ts';
import { isIndexType } from './oci/media-types.ts';
import type { PullRequest } from './ship.ts';
import { asStep } from './step-events.ts';
import { layoutFetcher, REF_NAME } from './store/layout.ts';

/**
 * The image for the request's platform. Its content is safe as long as the caller holds a lease of the store.
 * @throws TsbuildError `CONTEXT`, `IMAGE_NOT_FOUND`, `USAGE`, and what `receiveImage` throws
 */
export async function receiveFromLayout(
  { store, workers, workdir }: Environment,
  { reference: title, platform, emit, signal }: PullRequest,
): Promise<Image> {
  const location = parseLayoutLocation(title)!;
  const directory = path.resolve(workdir, location.directory);
  const entries = readEntries(path.join(directory, 'index.json'));
  if (entries.length === 0) {
    throw new TsbuildError(
      'CONTEXT',
      `read context ${title}: ${directory} has no index.json that lists an image`,
      {
        hint: 'an OCI layout is made by `tsbuild build -o type=oci,tar=false,dest=DIRECTORY`',
      },
    );
  }
  const source = layoutFetcher(directory);
  const root = await findRoot(source, entries, location, title);
  const name = `load ${title}`;
  const { manifest } = await asStep({ id: name, kind: 'pull', name }, emit, (step) =>
    receiveImage({ store, workers, source, platform, step, emit, signal }, { root, title }),
  );
  return readImage(store, manifest, undefined, title);
}

/** By its digest, which may be that of one platform; else by its tag; without either `latest`, or the only image. */
async function findRoot(
  source: Fetcher,
  entries: readonly Descriptor[],
  { tag, digest }: LayoutLocation,
  title: string,
): Promise<Descriptor> {
  if (digest !== undefined) {
    const children = await Promise.all(entries.map((entry) => childrenOf(source, entry)));
    return findEntry([...entries, ...children.flat()], digest, title);
  }
  const isLatest = entries.some(({ annotations }) => annotations?.[REF_NAME] === 'latest');
  return findEntry(entries, tag ?? (isLatest ? 'latest' : undefined), title);
}

async function childrenOf(source: Fetcher, entry: Descriptor): Promise<readonly Descriptor[]> {
  if (!isIndexType(entry.mediaType)) return [];
  const index = parseManifestOrIndex(await readDocument(source, entry, {}), entry.mediaType);
  return isIndex(index) ? index.manifests : [];
}
