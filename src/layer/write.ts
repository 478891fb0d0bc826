/**
 * Writes a layer: tar and index in one pass over the input, every byte read once and hashed as it goes by. Synchronous: for
 * few files, and for processes that have one thing to do. Many files at once are for write-parts.ts.
 */
import { hash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { diskError } from '../host/disk-error.ts';
import { type DiffID, digestFromHex } from '../oci/digest.ts';
import { END_OF_ARCHIVE } from '../tar/encode.ts';
import { encodeIndex } from './index-encode.ts';
import type { LayerInput, WrittenLayer } from './layer.ts';
import { openSources, type Sources } from './sources.ts';
import { type LaidFile, type LaidOut, startLayout } from './tar-layout.ts';
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
    const layout = startLayout({ tar, sourceDateEpoch });
    for (const input of inputs) {
      const { headers, file } = layout.add(input);
      sink.put(headers);
      if (file !== undefined) putFile(file, sink, sources);
    }
    sink.put(END_OF_ARCHIVE);
    const diffID = digestFromHex<DiffID>(sink.finish());
    const laidOut = layout.finish();
    return { diffID, size: laidOut.size, tar, index: writeIndex(directory, laidOut) };
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

/** Its sha256 is computed unless it is known. */
function putFile({ path, content, node }: LaidFile, sink: TarSink, sources: Sources): void {
  if ('bytes' in content) {
    sink.put(content.bytes);
    node.sha256 ??= hash('sha256', content.bytes, 'hex');
  } else if (content.size === 0) {
    node.sha256 = EMPTY_SHA256;
  } else {
    const { offset, size } = content;
    const isHashed = node.sha256 === undefined;
    const found = sources.use(content, path, (fd) => sink.copy({ fd, offset, size }, isHashed));
    node.sha256 ??= found;
  }
  sink.pad();
}

const EMPTY_SHA256 = hash('sha256', '', 'hex');
