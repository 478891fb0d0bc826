/** One part of a layer's tar: its files are read into the gaps between headers, and it is written, by whoever gets to it. */
import { closeSync, openSync, unlinkSync } from 'node:fs';
import { diskError } from '../host/disk-error.ts';
import { fsPath } from '../host/path-bytes.ts';
import { readSparse, writeSparse } from '../host/sparse-file.ts';
import type { FileRange } from '../tree/file-tree.ts';
import { openSources } from './sources.ts';

export interface TarPart {
  readonly tar: string;
  /** Where the part begins in the tar. */
  readonly start: number;
  readonly size: number;
  /** At least of that size. All but the gaps is there already. */
  readonly bytes: SharedArrayBuffer;
  readonly gaps: Gaps;
  /** Removes each file once it has been read, unless other parts read it too. */
  readonly consume: boolean;
  /** Files that began in an earlier part and end in this one. */
  readonly ended: string[];
  /** See {@link stateOf}: any thread that sees a part may fill it, and one does. */
  readonly state: SharedArrayBuffer;
}

/** The gaps of a part, field by field: so the many of them pass to another thread in a fifth of the time. */
export interface Gaps {
  /** In the part. */
  readonly at: number[];
  readonly size: number[];
  /** Where the range's bytes begin that the gap is for: of a large file, each part has some. */
  readonly skip: number[];
  /** The range, see `FileRange`. */
  readonly file: string[];
  readonly offset: number[];
  readonly rangeSize: number[];
  readonly ctime: (bigint | undefined)[];
  /** For messages. */
  readonly name: string[];
}

export function noGaps(): Gaps {
  return { at: [], size: [], skip: [], file: [], offset: [], rangeSize: [], ctime: [], name: [] };
}

export const FILL_TASK = 'layer.fill';

/** What has become of a part; one that could not be filled stays claimed. */
const STATES = ['open', 'claimed', 'filled'] as const;

export function openState(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}

export function stateOf({ state }: TarPart): (typeof STATES)[number] {
  return STATES[Atomics.load(new Int32Array(state), 0)]!;
}

/**
 * Does nothing if another thread has begun to.
 * @throws TsbuildError `CONTEXT` for a file that is not as it was, `DISK_FULL`, `STORE`
 */
export function fillPart(part: TarPart): void {
  const state = new Int32Array(part.state);
  const open = STATES.indexOf('open');
  if (Atomics.compareExchange(state, 0, open, STATES.indexOf('claimed')) !== open) return;
  fill(part);
  Atomics.store(state, 0, STATES.indexOf('filled'));
}

function fill({ tar, start, size, bytes, gaps, consume }: TarPart): void {
  const part = Buffer.from(bytes, 0, size);
  const sources = openSources(gaps.at.length);
  try {
    for (let n = 0; n < gaps.at.length; n += 1) {
      const gap = { start: gaps.at[n]!, size: gaps.size[n]! };
      const range = rangeOf(gaps, n);
      const position = range.offset + gaps.skip[n]!;
      const read = (fd: number) => readSparse(fd, part, position, gap) === gap.size || undefined;
      sources.use(range, gaps.name[n]!, read);
      if (consume && gap.size === range.size) unlinkSync(fsPath(range.file));
    }
  } finally {
    sources.close();
  }
  write(tar, part, start);
}

function rangeOf({ file, offset, rangeSize, ctime }: Gaps, n: number): FileRange {
  const range = { file: file[n]!, offset: offset[n]!, size: rangeSize[n]! };
  const changed = ctime[n];
  return changed === undefined ? range : { ...range, ctime: changed };
}

function write(tar: string, part: Buffer, start: number): void {
  try {
    const fd = openSync(tar, 'r+');
    try {
      writeSparse(fd, part, start);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw diskError(error, `write layer ${tar}`);
  }
}
