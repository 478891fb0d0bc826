/**
 * An OCI image layout as a directory. One that is there already gets the images added, or replaced where they have the
 * same names. As in our own store, index.json is last and renamed into place: the layout is complete at any moment.
 */
import fs from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { errnoOf } from '../errors.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { diskError } from '../host/disk-error.ts';
import { CONTAINERD_NAME, graphOf, indexEntries, type SavedImage } from '../image/save.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import {
  blobFileSize,
  formatIndex,
  layoutBlobPath,
  layoutFile,
  parseLayoutIndex,
  REF_NAME,
} from '../store/layout.ts';
import type { Store } from '../store/store.ts';

export async function writeLayout(
  store: Store,
  images: readonly SavedImage[],
  directory: string,
  signal?: AbortSignal,
): Promise<void> {
  const blobs = images.flatMap(({ descriptor }) => graphOf(store, descriptor));
  try {
    fs.mkdirSync(path.join(directory, 'blobs/sha256'), { recursive: true });
    for (const { digest, size } of blobs) {
      const target = layoutBlobPath(directory, digest);
      if (blobFileSize(target) !== size) copyAtomic(store.blobPath(digest), target);
      await setImmediate();
      signal?.throwIfAborted();
    }
    writeFileAtomic(path.join(directory, 'oci-layout'), layoutFile());
    const index = path.join(directory, 'index.json');
    writeFileAtomic(index, formatIndex(mergeEntries(readEntries(index), indexEntries(images))));
  } catch (error) {
    throw diskError(error, `write the OCI layout ${directory}`, 'OUTPUT');
  }
}

/** Shares the bytes where the filesystem can. */
function copyAtomic(source: string, target: string): void {
  const temp = `${target}.${process.pid}`;
  try {
    fs.copyFileSync(source, temp, fs.constants.COPYFILE_FICLONE);
    fs.renameSync(temp, target);
  } catch (error) {
    fs.rmSync(temp, { force: true });
    throw error;
  }
}

/** Those of an index.json; none if there is no such file. */
export function readEntries(file: string): readonly Descriptor[] {
  try {
    return parseLayoutIndex(fs.readFileSync(file)).manifests;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** What was there, but for what has a name of the added. */
export function mergeEntries(
  before: readonly Descriptor[],
  added: readonly Descriptor[],
): readonly Descriptor[] {
  const nameOf = ({ annotations, digest }: Descriptor) =>
    annotations?.[CONTAINERD_NAME] ?? annotations?.[REF_NAME] ?? digest;
  const names = new Set(added.map(nameOf));
  return [...before.filter((entry) => !names.has(nameOf(entry))), ...added];
}
