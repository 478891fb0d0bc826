/**
 * What is known of the blobs that a layer is in registries: compressed forms whose tar was seen to be the layer's, and the
 * repositories that have them. A push finds here what it compressed before and where a registry can mount it from; a pull
 * finds that a blob and a tar belong together, which the manifest that says so may be lying about.
 *
 * Notes lie beside the layer's index, `layers/<diffID>.blobs`, and go with it. They are a cache: one that is lost, or not
 * written because two processes wrote at once, costs some work.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import * as v from 'valibot';
import { errnoOf } from '../errors.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { diskError } from '../host/disk-error.ts';
import { type DiffID, type Digest, hexOf, parseDigest } from '../oci/digest.ts';
import type { Compression } from '../oci/media-types.ts';
import type { Store } from '../store/store.ts';

export interface LayerBlob {
  readonly compression: Compression;
  readonly digest: Digest;
  readonly size: number;
  /** At which it was compressed here, if not at the usual one. */
  readonly level?: number;
  /** `host/path` of those that were seen to have it, the latest first. */
  readonly repositories: readonly string[];
}

const MAX_BLOBS = 8;
const MAX_REPOSITORIES = 8;

const schema = v.array(
  v.object({
    compression: v.picklist(['none', 'gzip', 'zstd']),
    digest: v.pipe(
      v.string(),
      v.regex(/^sha256:[0-9a-f]{64}$/),
      v.transform((text) => parseDigest<Digest>(text)),
    ),
    size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
    level: v.exactOptional(v.number()),
    repositories: v.array(v.string()),
  }),
);

/** The latest first; none if there is no note, or none that can be understood. */
export function readLayerBlobs(store: Store, diffID: DiffID): readonly LayerBlob[] {
  let text: string;
  try {
    text = readFileSync(notePath(store, diffID), 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw diskError(cause, `read what is known of layer ${diffID}`);
  }
  try {
    return v.parse(schema, JSON.parse(text));
  } catch {
    return [];
  }
}

/** Remembers a blob whose tar has the digest `diffID`, and a repository (`host/path`) that has it. */
export function noteLayerBlob(
  store: Store,
  diffID: DiffID,
  blob: Pick<LayerBlob, 'compression' | 'digest' | 'size' | 'level'>,
  repository?: string,
): void {
  const { compression, digest, size } = blob;
  const before = readLayerBlobs(store, diffID);
  const same = before.find((other) => other.digest === digest);
  const known = same?.repositories ?? [];
  const level = blob.level ?? same?.level;
  if (repository === undefined ? before[0]?.digest === digest : known[0] === repository) return;
  const repositories = [
    ...(repository === undefined ? [] : [repository]),
    ...known.filter((other) => other !== repository),
  ].slice(0, MAX_REPOSITORIES);
  const others = before.filter((other) => other.digest !== digest);
  const note = {
    compression,
    digest,
    size,
    ...(level === undefined ? {} : { level }),
    repositories,
  };
  const notes = [note, ...others].slice(0, MAX_BLOBS);
  try {
    mkdirSync(store.path('layers'), { recursive: true });
    writeFileAtomic(notePath(store, diffID), JSON.stringify(notes), {
      tempFile: store.tempFile(),
    });
  } catch (cause) {
    throw diskError(cause, `note what is known of layer ${diffID}`);
  }
}

function notePath(store: Store, diffID: DiffID): string {
  return store.path('layers', `${hexOf(diffID)}.blobs`);
}
