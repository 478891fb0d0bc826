/** Manifests in registries, without the store: looking at one, and making an index of several. */
import { openEnvironment } from './environment.ts';
import { TsbuildError } from './errors.ts';
import { annotationsFor, parseAnnotation } from './image/annotations.ts';
import { copyGraph, readDocument } from './image/copy-graph.ts';
import { parseImageConfig } from './oci/config.ts';
import type { Descriptor } from './oci/descriptor.ts';
import { digestOf } from './oci/digest.ts';
import { isIndex, parseManifestOrIndex } from './oci/manifest.ts';
import { OCI_INDEX } from './oci/media-types.ts';
import { parseReference, type Reference } from './oci/reference.ts';
import type { OperationContext } from './operation.ts';
import type {
  CreateIndexOptions,
  CreateIndexResult,
  InspectManifestOptions,
  ManifestDetails,
} from './options.ts';
import type { RegistryClient } from './registry/client.ts';
import type { Repository } from './registry/repository.ts';
import { asStep } from './step-events.ts';

/** @throws TsbuildError `IMAGE_NOT_FOUND`, `REGISTRY`, `NETWORK`, … */
export async function readRemoteManifest(
  options: InspectManifestOptions,
  { emit, signal }: OperationContext,
): Promise<ManifestDetails> {
  await using environment = openEnvironment(options, emit);
  const reference = parseReference(options.reference);
  const repository = (await environment.registry()).repository(reference);
  const found = await fetchRoot(repository, reference, signal);
  const referrers = options.referrers
    ? await repository.referrers(found.descriptor.digest, { signal })
    : undefined;
  return { ...found, ...(referrers === undefined ? {} : { referrers }) };
}

/**
 * Makes an index of the images that the references stand for, which may be indexes themselves, and lie in other
 * repositories: what the target lacks is copied into it. An image that several of them have is in it once.
 */
export async function performCreateIndex(
  options: CreateIndexOptions,
  operation: OperationContext,
): Promise<CreateIndexResult> {
  const { emit, signal } = operation;
  await using environment = openEnvironment(options, emit);
  const registry = await environment.registry();
  const reference = parseReference(options.name);
  const target = registry.repository(reference);
  const name = `create index ${options.name}`;
  return await asStep({ id: name, kind: 'push', name }, emit, async () => {
    const manifests = new Map<string, Descriptor>();
    for (const text of options.references) {
      const part = { registry, reference: parseReference(text), signal };
      for (const manifest of await manifestsOf(part)) {
        const source = registry.repository(part.reference);
        if (!options.dryRun && !isSameRepository(source, target))
          await copyGraph(source, target, manifest, { signal });
        manifests.set(manifest.digest, manifest);
      }
    }
    if (manifests.size === 0)
      throw new TsbuildError(
        'USAGE',
        `create index ${options.name}: there is no image to put in it`,
      );
    const bytes = indexOf([...manifests.values()], options.annotations ?? []);
    const descriptor = { mediaType: OCI_INDEX, digest: digestOf(bytes), size: bytes.length };
    const tag = reference.tag ?? descriptor.digest;
    if (!options.dryRun) await target.putManifest(tag, descriptor, bytes, { signal });
    return { descriptor, digest: descriptor.digest, document: JSON.parse(bytes.toString()) };
  });
}

interface Part {
  readonly registry: RegistryClient;
  readonly reference: Reference;
  readonly signal: AbortSignal;
}

/** Of one reference, each with its platform. */
async function manifestsOf({ registry, reference, signal }: Part): Promise<readonly Descriptor[]> {
  const repository = registry.repository(reference);
  const { descriptor, bytes } = await fetchRoot(repository, reference, signal);
  const document = parseManifestOrIndex(bytes, descriptor.mediaType);
  if (isIndex(document)) return document.manifests;
  const configBytes = await readDocument(repository, document.config, { signal });
  const { os, architecture, variant } = parseImageConfig(configBytes);
  return [{ ...descriptor, platform: { architecture, os, ...(variant ? { variant } : {}) } }];
}

function indexOf(manifests: readonly Descriptor[], texts: readonly string[]): Buffer {
  const annotations = texts.flatMap((text) =>
    // Here the index is what is being made, and so what is meant.
    parseAnnotation(/^[a-z,-]+(\[[^\]]*\])?:/.test(text) ? text : `index:${text}`),
  );
  const own = annotationsFor(annotations, 'index');
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: manifests.map((manifest) => {
        const added = annotationsFor(annotations, 'manifest-descriptor', manifest.platform);
        return Object.keys(added).length === 0
          ? manifest
          : { ...manifest, annotations: { ...manifest.annotations, ...added } };
      }),
      ...(Object.keys(own).length > 0 ? { annotations: own } : {}),
    }),
  );
}

async function fetchRoot(
  repository: Repository,
  reference: Reference,
  signal: AbortSignal,
): Promise<{ readonly descriptor: Descriptor; readonly bytes: Buffer }> {
  const wanted = reference.digest ?? reference.tag ?? 'latest';
  const found = await repository.fetchManifest(wanted, { signal });
  if (found !== undefined) return found;
  throw new TsbuildError(
    'IMAGE_NOT_FOUND',
    `${repository.registry}/${repository.repository} has no image ${wanted}`,
    {
      hint: 'check its name and tag; a registry may also hide what you may not see: tsbuild login',
    },
  );
}

function isSameRepository(a: Repository, b: Repository): boolean {
  return a.registry === b.registry && a.repository === b.repository;
}
