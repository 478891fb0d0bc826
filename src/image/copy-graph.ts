/**
 * Copying an image, or anything made of descriptors, from where it is to where it should be: a pull, a push and an export
 * are this, with another source and target. Children go first, so a target never holds a document that points at
 * something it lacks, whenever the copying is cut off.
 */
import pLimit from 'p-limit';
import { TsbuildError } from '../errors.ts';
import type { CallOptions, Fetcher, Pusher, PushOutcome } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { children, isIndex, MAX_MANIFEST_BYTES, parseManifestOrIndex } from '../oci/manifest.ts';
import { isDocumentType } from '../oci/media-types.ts';
import { together } from './together.ts';

export interface CopyOptions {
  /** Transfers at once. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
  /** Which children of an index to copy; all by default. */
  readonly select?: (descriptor: Descriptor) => boolean;
  readonly onProgress?: (descriptor: Descriptor, current: number) => void;
  readonly onCopied?: (descriptor: Descriptor, outcome: PushOutcome) => void;
}

const CONCURRENCY = 6;
/** Indexes of indexes are allowed; nobody makes more than two levels. */
const MAX_DEPTH = 8;

/** Copies `root` and all that it points at; what the target has is left alone. The source's bytes are kept as they are. */
export async function copyGraph(
  source: Fetcher,
  target: Pusher & Pick<Fetcher, 'exists'>,
  root: Descriptor,
  options: CopyOptions = {},
): Promise<void> {
  const limit = pLimit(options.concurrency ?? CONCURRENCY);
  const copies = new Map<Digest, Promise<void>>();

  /** An object that several others point at is copied once. */
  const copy = (descriptor: Descriptor, depth: number, signal: AbortSignal): Promise<void> => {
    const known = copies.get(descriptor.digest);
    if (known !== undefined) return known;
    const made = copyOne(descriptor, depth, signal);
    copies.set(descriptor.digest, made);
    return made;
  };

  const copyOne = async (
    descriptor: Descriptor,
    depth: number,
    signal: AbortSignal,
  ): Promise<void> => {
    if (isDocumentType(descriptor.mediaType)) {
      if (depth > MAX_DEPTH)
        throw new TsbuildError('MANIFEST', `indexes nest deeper than ${MAX_DEPTH} levels`);
      // Complete at any moment: a target that has a document has what it points at.
      if (await limit(() => target.exists(descriptor, { signal })))
        return options.onCopied?.(descriptor, 'exists');
      const all = await limit(() => childrenOf(source, descriptor, options, { signal }));
      await together(signal, (inner) => all.map((child) => copy(child, depth + 1, inner)));
    }
    const outcome = await limit(() =>
      target.push(descriptor, () => source.fetch(descriptor, { signal }), {
        signal,
        onProgress: (current) => options.onProgress?.(descriptor, current),
      }),
    );
    options.onCopied?.(descriptor, outcome);
  };

  await together(options.signal, (signal) => [copy(root, 0, signal)]);
}

/** All bytes of a manifest or index; the source has verified them. */
export async function readDocument(
  source: Fetcher,
  descriptor: Descriptor,
  options?: CallOptions,
): Promise<Buffer> {
  if (descriptor.size > MAX_MANIFEST_BYTES) {
    throw new TsbuildError('MANIFEST', `manifest ${descriptor.digest} is larger than 4 MiB`);
  }
  const chunks: Buffer[] = [];
  for await (const chunk of await source.fetch(descriptor, options)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function childrenOf(
  source: Fetcher,
  descriptor: Descriptor,
  { select }: CopyOptions,
  options: CallOptions,
): Promise<readonly Descriptor[]> {
  const document = parseManifestOrIndex(
    await readDocument(source, descriptor, options),
    descriptor.mediaType,
  );
  const all = children(document);
  return isIndex(document) && select !== undefined ? all.filter(select) : all;
}
