/** An OCI image layout in a directory as somewhere to copy to: blobs as they come, index.json when all of them are there. */
import fs from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { diskError } from '../host/disk-error.ts';
import { writeFully } from '../host/write-fully.ts';
import type { Fetcher, Pusher } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { blobFileSize, formatIndex, layoutBlobPath, layoutFile } from '../store/layout.ts';
import { mergeEntries, readEntries } from './layout-directory.ts';

export interface LayoutTarget extends Pusher, Pick<Fetcher, 'exists'> {
  /** Lists images; what had their names before no longer has them. */
  list(entries: readonly Descriptor[]): void;
}

/** @throws TsbuildError `OUTPUT`, `DISK_FULL` */
export function layoutTarget(directory: string): LayoutTarget {
  const what = `write the OCI layout ${directory}`;
  const has = ({ digest, size }: Descriptor) =>
    blobFileSize(layoutBlobPath(directory, digest)) === size;
  attempt(what, () => fs.mkdirSync(path.join(directory, 'blobs/sha256'), { recursive: true }));
  return {
    exists: async (descriptor) => has(descriptor),
    async push(descriptor, open, { signal, onProgress } = {}) {
      if (has(descriptor)) return 'exists';
      const target = layoutBlobPath(directory, descriptor.digest);
      const temp = `${target}.${process.pid}`;
      const fd = attempt(what, () => fs.openSync(temp, 'w', 0o644));
      try {
        // Whatever is fetched has been verified when it ends.
        await pipeline(await open(), fileWriter(fd, what, onProgress), signal ? { signal } : {});
        attempt(what, () => fs.renameSync(temp, target));
      } catch (error) {
        fs.rmSync(temp, { force: true });
        signal?.throwIfAborted();
        throw error;
      } finally {
        fs.closeSync(fd);
      }
      return 'pushed';
    },
    list(entries) {
      const index = path.join(directory, 'index.json');
      attempt(what, () => {
        writeFileAtomic(path.join(directory, 'oci-layout'), layoutFile());
        writeFileAtomic(index, formatIndex(mergeEntries(readEntries(index), entries)));
      });
    },
  };
}

function fileWriter(fd: number, what: string, onProgress?: (current: number) => void): Writable {
  let written = 0;
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      try {
        attempt(what, () => writeFully(fd, chunk));
        written += chunk.length;
        onProgress?.(written);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  });
}

function attempt<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw diskError(error, what, 'OUTPUT');
  }
}
