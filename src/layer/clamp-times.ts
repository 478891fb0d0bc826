/** The same layer with no time later than a given one: what makes an image of today equal to one of tomorrow. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { diskError } from '../host/disk-error.ts';
import { type DiffID, digestFromHex } from '../oci/digest.ts';
import { END_OF_ARCHIVE, encodeHeader } from '../tar/encode.ts';
import { scanTar } from '../tar/scan.ts';
import { encodeIndex } from './index-encode.ts';
import type { Layer, WrittenLayer } from './layer.ts';
import { scanLayer } from './scan.ts';
import { openTarSink } from './tar-sink.ts';

export interface ClampRequest {
  readonly layer: Pick<Layer, 'tar'>;
  /** Seconds since 1970. */
  readonly latest: number;
  /** A private directory, which gets `layer.tar` and `layer.index`. After an error it is the caller's to remove. */
  readonly directory: string;
}

export const CLAMP_TASK = 'layer.clamp-times';

/**
 * Writes the layer anew, entry by entry, marks of deletion and all, since its tar says more than its index. Nothing is
 * written, and `undefined` returned, if no time in it is later. @throws TsbuildError `ARCHIVE`, `DISK_FULL`, `STORE`
 */
export function clampTimes({ layer, latest, directory }: ClampRequest): WrittenLayer | undefined {
  const limit = BigInt(latest) * 1_000_000_000n;
  const source = openSync(layer.tar, 'r');
  try {
    if (!hasLater(source, limit)) return undefined;
    return rewrite(source, limit, join(directory, 'layer.tar'), join(directory, 'layer.index'));
  } finally {
    closeSync(source);
  }
}

function hasLater(fd: number, limit: bigint): boolean {
  for (const entry of scanTar(fd)) if (entry.mtime > limit) return true;
  return false;
}

function rewrite(source: number, limit: bigint, tar: string, index: string): WrittenLayer {
  const sink = openTarSink(tar);
  try {
    for (const entry of scanTar(source)) {
      sink.put(encodeHeader(entry.mtime > limit ? { ...entry, mtime: limit } : entry));
      const { offset, storedSize: size } = entry;
      if (size > 0) sink.copy({ fd: source, offset, size }, false);
      sink.pad();
    }
    sink.put(END_OF_ARCHIVE);
    const size = sink.position();
    const diffID = digestFromHex<DiffID>(sink.finish());
    writeFileSync(index, encodeIndex(scanLayer(tar), size), { flag: 'wx' });
    return { diffID, size, tar, index };
  } catch (error) {
    throw diskError(error, `write layer ${tar}`);
  } finally {
    sink.close();
  }
}
