/**
 * Names of images: the entries of `content/index.json`, each annotated with a full reference. Readers just read the file, since
 * it is only ever replaced as a whole; who changes it holds a lock, so that of two processes tagging at once neither loses.
 */

import fs from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { errnoOf } from '../errors.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { diskError } from '../host/disk-error.ts';
import { acquireLock } from '../host/lock.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Home } from './home.ts';
import { formatIndex, parseLayoutIndex, REF_NAME } from './layout.ts';
import type { Store, StoredImage } from './store.ts';

type Tags = Pick<Store, 'images' | 'tags' | 'resolveTag' | 'tag' | 'untag' | 'keep' | 'forget'>;

export function openTags(home: Home): Tags {
  const read = imagesReader(home);
  const change = (edit: (images: readonly StoredImage[]) => readonly StoredImage[]) =>
    changeImages(home, read, edit);
  const tags = () =>
    read().filter((image): image is StoredImage & { name: string } => image.name !== undefined);
  const resolveTag = (name: string) => read().find((image) => image.name === name)?.descriptor;
  return {
    images: read,
    tags,
    resolveTag,
    async tag(name, descriptor) {
      await change((images) => withTag(images, name, descriptor));
    },
    async untag(name) {
      return change((images) => images.filter((image) => image.name !== name));
    },
    async keep(descriptor) {
      await change((images) => (holds(images, descriptor) ? images : [...images, { descriptor }]));
    },
    async forget(...digests) {
      await change((images) =>
        images.filter(({ descriptor }) => !digests.includes(descriptor.digest)),
      );
    },
  };
}

function withTag(
  images: readonly StoredImage[],
  name: string,
  descriptor: Descriptor,
): readonly StoredImage[] {
  const old = images.find((image) => image.name === name);
  if (old && isDeepStrictEqual(old.descriptor, descriptor)) return images;
  // The image gets its name, and with it is no longer one without.
  const others = images.filter(
    (image) => image !== old && (image.name ?? image.descriptor.digest) !== descriptor.digest,
  );
  const orphan =
    old && old.descriptor.digest !== descriptor.digest && !holds(others, old.descriptor);
  return [...others, ...(orphan ? [{ descriptor: old.descriptor }] : []), { name, descriptor }];
}

function holds(images: readonly StoredImage[], descriptor: Descriptor): boolean {
  return images.some((image) => image.descriptor.digest === descriptor.digest);
}

/** Whether anything changed; when not, nothing is written, and a first look without the lock has usually shown so. */
async function changeImages(
  home: Home,
  read: () => readonly StoredImage[],
  edit: (images: readonly StoredImage[]) => readonly StoredImage[],
): Promise<boolean> {
  const changed = () => {
    const before = read();
    const after = edit(before);
    return isDeepStrictEqual(before, after) ? undefined : after;
  };
  if (changed() === undefined) return false;
  home.prepare();
  await using _lock = await acquireLock(home.path('locks/index'));
  const after = changed();
  if (after === undefined) return false;
  try {
    const text = formatIndex(after.map(toEntry));
    writeFileAtomic(home.path('content/index.json'), text, {
      tempFile: home.tempFile(),
      durable: true,
    });
  } catch (cause) {
    throw diskError(cause, 'write index.json of the store');
  }
  return true;
}

/** Reads the file each time, and parses it when it is another. */
function imagesReader(home: Home): () => readonly StoredImage[] {
  let last: { readonly bytes: Buffer; readonly images: readonly StoredImage[] } | undefined;
  return () => {
    const bytes = readIndex(home);
    if (bytes === undefined) return [];
    if (!last?.bytes.equals(bytes))
      last = { bytes, images: parseLayoutIndex(bytes).manifests.map(fromEntry) };
    return last.images;
  };
}

function readIndex(home: Home): Buffer | undefined {
  try {
    return fs.readFileSync(home.path('content/index.json'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw diskError(error, 'read index.json of the store');
  }
}

function fromEntry(entry: Descriptor): StoredImage {
  const { [REF_NAME]: name, ...annotations } = entry.annotations ?? {};
  const { annotations: _, ...bare } = entry;
  const descriptor = Object.keys(annotations).length > 0 ? { ...bare, annotations } : bare;
  return name === undefined ? { descriptor } : { name, descriptor };
}

function toEntry({ name, descriptor }: StoredImage): Descriptor {
  return name === undefined
    ? descriptor
    : { ...descriptor, annotations: { ...descriptor.annotations, [REF_NAME]: name } };
}
