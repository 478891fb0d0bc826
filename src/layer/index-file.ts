/** The index beside a layer's tar: read, and built again where it is missing or damaged. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { errnoOf, TsbuildError } from '../errors.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import type { DiffID } from '../oci/digest.ts';
import { type Columns, HEADER_BYTES, openColumns, readHeader } from './columns.ts';
import { encodeIndex } from './index-encode.ts';
import { viewOf } from './index-view.ts';
import type { Layer, LayerEntry, LayerView } from './layer.ts';
import { scanLayer } from './scan.ts';

/** What the layer holds. @throws TsbuildError `STORE` if neither index nor tar can be read, `ARCHIVE` if the tar is bad. */
export function readIndex(layer: Layer): LayerView {
  return viewOf(readColumns(layer), layer);
}

/** {@link readIndex}, for who goes through all records and wants no object for each. */
export function readColumns(layer: Layer): Columns {
  return columnsIfThere(layer) ?? rebuildIndex(layer);
}

/** {@link readColumns} of an index that is there whole. */
export function columnsIfThere(layer: Layer): Columns | undefined {
  const bytes = readIfThere(layer.index);
  return bytes && openColumns(bytes, layer.size);
}

/** {@link readIndex}, but each layer is read once: for who looks at many stacks of the same layers. */
export function indexReader(): (layer: Layer) => LayerView {
  const views = new Map<DiffID, LayerView>();
  return (layer) => {
    const view = views.get(layer.diffID) ?? readIndex(layer);
    views.set(layer.diffID, view);
    return view;
  };
}

/** Whether there are whiteouts, or directories that the tar does not list: {@link LayerView.pathsOf}. Reads next to nothing. */
export function hasMarks(layer: Layer): boolean {
  const header = readHeader(readStart(layer.index, HEADER_BYTES));
  if (header?.tar === layer.size) return header.marks > 0;
  const view = readIndex(layer);
  return view.pathsOf('implicit').length + view.pathsOf('whiteout').length > 0;
}

/** The columns of entries that are in no file, as if they had been read from one. */
export function columnsOf(entries: Iterable<LayerEntry>, layer: Layer): Columns {
  return openColumns(encodeIndex(entries, layer.size), layer.size)!;
}

function rebuildIndex(layer: Layer): Columns {
  const columns = columnsOf(scanLayer(layer.tar), layer);
  try {
    writeFileAtomic(layer.index, columns.bytes);
  } catch (error) {
    // A store that we may only read serves as well, a bit slower.
    if (!['EACCES', 'EPERM', 'EROFS'].includes(errnoOf(error) ?? '')) throw error;
  }
  return columns;
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw new TsbuildError('STORE', `read layer index ${file}`, { cause });
  }
}

function readStart(file: string, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  try {
    const fd = openSync(file, 'r');
    try {
      return bytes.subarray(0, readSync(fd, bytes, 0, length, 0));
    } finally {
      closeSync(fd);
    }
  } catch {
    // Whatever is wrong with it, reading it as a whole will tell.
    return bytes.subarray(0, 0);
  }
}
