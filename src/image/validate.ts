/**
 * An oracle for images: reads everything again, from wherever it lies, and says what does not fit together. It trusts no
 * name and no size, and shares no code with what writes images, beyond the parsers.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import { parseImageConfig } from '../oci/config.ts';
import type { Fetcher } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type DiffID, digestFromHex } from '../oci/digest.ts';
import { isIndex, type Manifest, parseManifestOrIndex } from '../oci/manifest.ts';
import { layerCompression } from '../oci/media-types.ts';
import { inflateStream } from '../tar/inflate.ts';
import { feedTar } from '../tar/scan.ts';
import { readDocument } from './copy-graph.ts';
import { isAttestation } from './select.ts';

/** Every problem found below `root`, as sentences; none if the image is right. `signal` aborts. */
export async function validateImage(
  source: Fetcher,
  root: Descriptor,
  signal?: AbortSignal,
): Promise<string[]> {
  const problems: string[] = [];
  const report = (descriptor: Descriptor, why: string) =>
    problems.push(`${descriptor.digest} (${descriptor.mediaType}): ${why}`);
  const attempt = async <T>(
    descriptor: Descriptor,
    work: () => Promise<T>,
  ): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      report(descriptor, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  };
  const visit = async (descriptor: Descriptor): Promise<void> => {
    const document = await attempt(descriptor, async () =>
      parseManifestOrIndex(
        await readDocument(source, descriptor, callOptions(signal)),
        descriptor.mediaType,
      ),
    );
    if (document === undefined) return;
    if (document.mediaType !== descriptor.mediaType)
      report(descriptor, `it calls itself ${document.mediaType}`);
    if (isIndex(document)) {
      if (document.manifests.length === 0) report(descriptor, 'it is an index of nothing');
      for (const child of document.manifests.filter((child) => !isAttestation(child)))
        await visit(child);
      return;
    }
    const diffIDs = await attempt(document.config, () =>
      checkConfig(source, document, descriptor, signal),
    );
    for (const [at, layer] of document.layers.entries()) {
      await attempt(layer, () => checkLayer(source, layer, diffIDs?.[at], signal));
    }
  };
  await visit(root);
  return problems;
}

const callOptions = (signal?: AbortSignal) => (signal ? { signal } : {});

async function checkConfig(
  source: Fetcher,
  manifest: Manifest,
  descriptor: Descriptor,
  signal?: AbortSignal,
): Promise<readonly DiffID[]> {
  const config = parseImageConfig(await readDocument(source, manifest.config, callOptions(signal)));
  const { diff_ids: diffIDs } = config.rootfs;
  if (diffIDs.length !== manifest.layers.length) {
    throw problem(`it has ${diffIDs.length} diffIDs for ${manifest.layers.length} layers`);
  }
  const made = config.history?.filter((entry) => !entry.empty_layer).length ?? diffIDs.length;
  if (made !== diffIDs.length)
    throw problem(`its history speaks of ${made} layers, it has ${diffIDs.length}`);
  const { platform } = descriptor;
  if (platform && (platform.os !== config.os || platform.architecture !== config.architecture)) {
    throw problem(`it is for ${config.os}/${config.architecture}, its descriptor says otherwise`);
  }
  return diffIDs;
}

/** Reads the blob to its end, which verifies it; the tar in it must have the diffID and be one that can be read. */
async function checkLayer(
  source: Fetcher,
  layer: Descriptor,
  diffID: DiffID | undefined,
  signal?: AbortSignal,
) {
  const compression = layerCompression(layer.mediaType);
  if (compression === undefined) throw problem('it is not a layer');
  const blob = await source.fetch(layer, callOptions(signal));
  const hash = createHash('sha256');
  const tar = feedTar(() => {});
  const inflated = blob.pipe(inflateStream(compression));
  blob.once('error', (error) => inflated.destroy(error));
  for await (const chunk of inflated as Readable) {
    hash.update(chunk);
    tar.write(chunk);
  }
  tar.end();
  const found = digestFromHex<DiffID>(hash.digest('hex'));
  if (diffID !== undefined && found !== diffID)
    throw problem(`its tar has the digest ${found} instead of ${diffID}`);
}

function problem(why: string): TsbuildError {
  return new TsbuildError('MANIFEST', why);
}
