/** Blobs: `content/blobs/sha256/<hex>`. */
import fs from 'node:fs';
import { addAbortSignal, type Readable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { diskError } from '../host/disk-error.ts';
import { createHasher } from '../host/hash-stream.ts';
import { writeFully } from '../host/write-fully.ts';
import type { CallOptions, PushOutcome } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../oci/manifest.ts';
import type { Home } from './home.ts';
import { blobFileSize, layoutBlobPath, openBlob, openBlobFile } from './layout.ts';
import type { BlobInfo, Store } from './store.ts';

type Blobs = Pick<
  Store,
  | 'blobPath'
  | 'blobSize'
  | 'readBlob'
  | 'writeBlob'
  | 'adoptBlob'
  | 'ingest'
  | 'exists'
  | 'fetch'
  | 'push'
>;

export function openBlobs(home: Home): Blobs {
  const blobPath = (digest: Digest) => layoutBlobPath(home.content, digest);
  const exists = (descriptor: Descriptor) =>
    blobFileSize(blobPath(descriptor.digest)) === descriptor.size;
  const ingest: Blobs['ingest'] = (source, expected, options) =>
    ingestStream(home, blobPath, source, expected, options);
  return {
    blobPath,
    blobSize: (digest) => blobFileSize(blobPath(digest)),
    readBlob: (digest, maxBytes = MAX_MANIFEST_BYTES) =>
      readWhole(blobPath(digest), digest, maxBytes),
    writeBlob: (bytes) => writeBytes(home, blobPath, bytes),
    adoptBlob: (file, digest) => adopt(home, file, blobPath(digest), digest),
    ingest,
    exists: async (descriptor) => exists(descriptor),
    fetch: async (descriptor, options) => {
      const file = blobPath(descriptor.digest);
      // As `exists` has it: a blob that a crash left short is not there.
      if (!exists(descriptor))
        throw new TsbuildError('NOT_FOUND', `blob ${descriptor.digest} is not in the store`);
      const stream = openBlob(file, descriptor, options);
      stream.once('error', (error) => dropDamaged(error, file));
      return stream;
    },
    push: async (descriptor, open, options): Promise<PushOutcome> => {
      if (exists(descriptor)) return 'exists';
      await ingest(await open(), descriptor, options);
      return 'pushed';
    },
  };
}

function readWhole(file: string, digest: Digest, maxBytes: number): Buffer {
  const fd = openBlobFile(file, digest);
  try {
    const size = fs.fstatSync(fd).size;
    if (size > maxBytes)
      throw new TsbuildError(
        'MANIFEST',
        `blob ${digest} has ${size} bytes; at most ${maxBytes} are read`,
      );
    const bytes = fs.readFileSync(fd);
    if (digestOf(bytes) !== digest)
      throw new TsbuildError('DIGEST_MISMATCH', `blob ${digest} is damaged in the store`, DAMAGED);
    return bytes;
  } catch (error) {
    dropDamaged(error, file);
    throw diskError(error, `read blob ${digest}`);
  } finally {
    fs.closeSync(fd);
  }
}

const DAMAGED = { hint: 'it was dropped: pull or build the image again' };

/** Keeping a blob that is not what its name says would make every later pull or build believe that it is there. */
function dropDamaged(error: unknown, file: string): void {
  if (error instanceof TsbuildError && error.code === 'DIGEST_MISMATCH')
    fs.rmSync(file, { force: true });
}

function writeBytes(home: Home, blobPath: (digest: Digest) => string, bytes: Uint8Array): BlobInfo {
  const digest = digestOf(bytes);
  const file = blobPath(digest);
  // Of the right size, but possibly damaged: comparing costs no more than it took to hash.
  if (blobFileSize(file) !== bytes.byteLength || !fs.readFileSync(file).equals(bytes)) {
    try {
      home.prepare();
      writeFileAtomic(file, bytes, { tempFile: home.tempFile() });
    } catch (cause) {
      throw diskError(cause, `write blob ${digest}`);
    }
  }
  return { digest, size: bytes.byteLength };
}

/** Renaming over a blob that is there costs nothing, and mends it if a crash has left it short. */
function adopt(home: Home, file: string, target: string, digest: Digest): void {
  try {
    home.prepare();
    // Not over an equal one: ext4 first writes out the whole file that replaces another.
    if (blobFileSize(target) === fs.statSync(file).size) fs.rmSync(file);
    else fs.renameSync(file, target);
  } catch (cause) {
    throw diskError(cause, `store blob ${digest}`);
  }
}

async function ingestStream(
  home: Home,
  blobPath: (digest: Digest) => string,
  source: Readable,
  expected: BlobInfo | undefined,
  options: CallOptions = {},
): Promise<BlobInfo> {
  const temp = home.tempFile();
  try {
    const received = await receive(temp, source, expected, options);
    adopt(home, temp, blobPath(received.digest), received.digest);
    return received;
  } catch (error) {
    fs.rmSync(temp, { force: true });
    source.destroy();
    options.signal?.throwIfAborted();
    throw diskError(error, `write blob ${expected?.digest ?? ''}`.trimEnd());
  }
}

async function receive(
  temp: string,
  source: Readable,
  expected: BlobInfo | undefined,
  options: CallOptions,
): Promise<BlobInfo> {
  if (options.signal) addAbortSignal(options.signal, source);
  const hasher = createHasher(expected);
  const fd = fs.openSync(temp, 'wx', 0o644);
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      hasher.update(chunk);
      writeFully(fd, chunk);
      options.onProgress?.(hasher.size);
    }
    return hasher.finish();
  } finally {
    fs.closeSync(fd);
  }
}
