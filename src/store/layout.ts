/**
 * An OCI image layout on disk, for reading: https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md.
 * The store is one, `-o type=oci` writes one, and others may be handed to us.
 */
import fs from 'node:fs';
import { addAbortSignal, pipeline, type Readable } from 'node:stream';
import * as v from 'valibot';
import { errnoOf, TsbuildError } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import { verifyStream } from '../host/hash-stream.ts';
import type { CallOptions, Fetcher } from '../oci/content.ts';
import { type Descriptor, descriptorSchema } from '../oci/descriptor.ts';
import { type Digest, hexOf } from '../oci/digest.ts';
import { check, parseJson } from '../oci/manifest.ts';
import { OCI_INDEX } from '../oci/media-types.ts';

/** Says what a descriptor in index.json is called: image-spec annotations.md. */
export const REF_NAME = 'org.opencontainers.image.ref.name';

const READ_BYTES = 256 * 1024;

/** index.json of a layout. Unlike an index in a registry it may grow with the number of images. */
export interface LayoutIndex {
  readonly schemaVersion: 2;
  readonly manifests: readonly Descriptor[];
}

const layoutIndexSchema = v.looseObject({
  schemaVersion: v.literal(2),
  manifests: v.array(descriptorSchema),
});

export function layoutFile(): string {
  return JSON.stringify({ imageLayoutVersion: '1.0.0' });
}

export function emptyIndex(): string {
  return formatIndex([]);
}

export function formatIndex(manifests: readonly Descriptor[]): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }, undefined, 1);
}

/** @throws TsbuildError `MANIFEST` */
export function parseLayoutIndex(bytes: Uint8Array): LayoutIndex {
  return check(layoutIndexSchema, parseJson(bytes, 'index.json'), 'index.json') as LayoutIndex;
}

/** Put together, not joined: asked for each layer of each step, and normalizing the path took longer than its stat(2). */
export function layoutBlobPath(layout: string, digest: Digest): string {
  return `${layout}/blobs/sha256/${hexOf(digest)}`;
}

/** Reads blobs of the layout in the directory `layout`. */
export function layoutFetcher(layout: string): Fetcher {
  return {
    exists: async (descriptor) =>
      blobFileSize(layoutBlobPath(layout, descriptor.digest)) === descriptor.size,
    fetch: async (descriptor, options) =>
      openBlob(layoutBlobPath(layout, descriptor.digest), descriptor, options),
  };
}

export function blobFileSize(file: string): number | undefined {
  return fs.statSync(file, { throwIfNoEntry: false })?.size;
}

/** The verified bytes of a blob's file. @throws TsbuildError `NOT_FOUND` */
export function openBlob(
  file: string,
  descriptor: Descriptor,
  options: CallOptions = {},
): Readable {
  const { digest, size } = descriptor;
  const verified = verifyStream({ digest, size });
  const source = fs.createReadStream('', {
    fd: openBlobFile(file, digest),
    highWaterMark: READ_BYTES,
  });
  if (options.onProgress) reportProgress(source, options.onProgress);
  if (options.signal) addAbortSignal(options.signal, source);
  // The callback is only there because pipeline wants one: an error reaches whoever reads `verified`.
  pipeline(source, verified, () => {});
  return verified;
}

export function openBlobFile(file: string, digest: Digest): number {
  try {
    return fs.openSync(file, 'r');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT')
      throw new TsbuildError('NOT_FOUND', `blob ${digest} is not in the store`, { cause });
    throw diskError(cause, `read blob ${digest}`);
  }
}

function reportProgress(source: Readable, onProgress: (current: number) => void): void {
  let current = 0;
  source.on('data', (chunk: Buffer) => {
    current += chunk.length;
    onProgress(current);
  });
}
