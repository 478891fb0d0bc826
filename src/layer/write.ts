/**
 * Writes a layer: tar and index in one pass over the input, every byte read once and hashed as it goes by. Synchronous: for
 * few files, and for processes that have one thing to do. Many files at once are for write-parts.ts.
 */
import { hash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { diskError } from '../host/disk-error.ts';
import { type DiffID, digestFromHex } from '../oci/digest.ts';
import { encodeIndex } from './index-encode.ts';
import type { LayerInput, WrittenLayer } from './layer.ts';
import { openSources, type Sources } from './sources.ts';
import { type FileContent, type LaidOut, layOut, type TarPiece } from './tar-layout.ts';
import { openTarSink, type TarSink } from './tar-sink.ts';

export interface WriteOptions {
  /** A private directory, which gets `layer.tar` and `layer.index`. After an error it is the caller's to remove. */
  readonly directory: string;
  /** Seconds since 1970; later times become this. */
  readonly sourceDateEpoch?: number | undefined;
}

/**
 * Writes `inputs` in the order given; a directory must come before what lies in it. Equal inputs give equal bytes.
 * @throws TsbuildError `CONTEXT` for a file that cannot be read, changes meanwhile, or has a name that layers reserve;
 * `DISK_FULL`, `STORE`
 */
export function writeLayer(inputs: Iterable<LayerInput>, options: WriteOptions): WrittenLayer {
  const { directory, sourceDateEpoch } = options;
  const tar = join(directory, 'layer.tar');
  const sink = openTarSink(tar);
  const sources = openSources();
  try {
    const layout = layOut(inputs, { tar, sourceDateEpoch });
    let step = layout.next();
    while (!step.done) step = layout.next(putPiece(step.value, sink, sources));
    const diffID = digestFromHex<DiffID>(sink.finish());
    return { diffID, size: step.value.size, tar, index: writeIndex(directory, step.value) };
  } finally {
    sources.close();
    sink.close();
  }
}

/** The path of the index. */
export function writeIndex(directory: string, { entries, size }: LaidOut): string {
  const index = join(directory, 'layer.index');
  try {
    writeFileSync(index, encodeIndex(entries, size), { flag: 'wx' });
  } catch (error) {
    throw diskError(error, `write layer index ${index}`);
  }
  return index;
}

function putPiece(piece: TarPiece, sink: TarSink, sources: Sources): string | undefined {
  if (piece instanceof Uint8Array) {
    sink.put(piece);
    return undefined;
  }
  const sha256 = putContent(piece, sink, sources);
  sink.pad();
  return sha256;
}

/** Returns the content's sha256, the known one if there is one: it is not computed again. */
function putContent({ path, content, sha256 }: FileContent, sink: TarSink, sources: Sources) {
  if ('bytes' in content) {
    sink.put(content.bytes);
    return sha256 ?? hash('sha256', content.bytes, 'hex');
  }
  const { offset, size } = content;
  if (size === 0) return EMPTY_SHA256;
  const isHashed = sha256 === undefined;
  const found = sources.use(content, path, (fd) => sink.copy({ fd, offset, size }, isHashed));
  return sha256 ?? found;
}

const EMPTY_SHA256 = hash('sha256', '', 'hex');
