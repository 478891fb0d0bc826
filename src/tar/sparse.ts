/**
 * Maps of sparse files, in the four forms that GNU tar has written over time. Nothing that builds images makes them, but
 * archives that people ADD may hold them. https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html
 */
import { BLOCK, type SparsePiece, TarFault } from './entry.ts';
import { readNumber } from './numeric.ts';

/** More pieces than this are an attack on memory. */
const MAX_PIECES = 100_000;
const MAP_OFFSET = 386;

export interface OldMap {
  readonly pieces: SparsePiece[];
  readonly realSize: number;
  /** Another block with more pieces follows. */
  readonly isExtended: boolean;
}

/** The map in the header of an old GNU sparse file (type `S`). */
export function readOldMap(block: Buffer): OldMap {
  return {
    pieces: readOldPieces(block, MAP_OFFSET, 4),
    isExtended: block[482] !== 0,
    realSize: readNumber(block, 483, 12, 'sparse size'),
  };
}

/** A block that continues an old map; returns whether there is one more. */
export function readOldExtension(block: Buffer, pieces: SparsePiece[]): boolean {
  pieces.push(...readOldPieces(block, 0, 21));
  if (pieces.length > MAX_PIECES) throw new TarFault('its sparse map is too long');
  return block[504] !== 0;
}

function readOldPieces(block: Buffer, start: number, count: number): SparsePiece[] {
  const pieces: SparsePiece[] = [];
  for (let i = 0; i < count; i += 1) {
    const at = start + i * 24;
    if (block[at] === 0) break;
    const offset = readNumber(block, at, 12, 'sparse map');
    pieces.push({ offset, size: readNumber(block, at + 12, 12, 'sparse map') });
  }
  return pieces;
}

/** PAX 0.0 and 0.1: numbers from records, an offset and a size by turns. */
export function piecesOf(numbers: readonly number[]): SparsePiece[] {
  if (numbers.length % 2 !== 0 || numbers.length / 2 > MAX_PIECES)
    throw new TarFault('its sparse map is malformed');
  const pieces: SparsePiece[] = [];
  for (let i = 0; i < numbers.length; i += 2)
    pieces.push({ offset: numbers[i]!, size: numbers[i + 1]! });
  return pieces;
}

/**
 * PAX 1.0: the map is text in front of the data, in whole blocks: the number of pieces, then offset and size of each,
 * a line for each number. Demands the blocks one by one.
 */
export function* readMapInData(limit: number): Generator<undefined, SparsePiece[], Buffer> {
  const numbers: number[] = [];
  let partial = '';
  let bytes = 0;
  let wanted = 1;
  while (numbers.length < wanted) {
    if (bytes + BLOCK > limit) throw new TarFault('its sparse map is malformed');
    const lines = (partial + (yield undefined).toString('latin1')).split('\n');
    bytes += BLOCK;
    partial = lines.pop()!;
    for (const line of lines) {
      // What follows the last number fills the block.
      if (numbers.length === wanted) break;
      numbers.push(parseCount(line));
      wanted = 1 + 2 * numbers[0]!;
    }
    if (wanted > 2 * MAX_PIECES) throw new TarFault('its sparse map is too long');
  }
  return piecesOf(numbers.slice(1));
}

function parseCount(text: string): number {
  const number = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number <= Number.MAX_SAFE_INTEGER)) throw new TarFault('its sparse map is malformed');
  return number;
}

/** Pieces must be in order, apart, inside the file, and add up to what is stored: else a reader would write wild. */
export function checkMap(
  pieces: readonly SparsePiece[],
  realSize: number,
  storedSize: number,
): void {
  let end = 0;
  let stored = 0;
  for (const { offset, size } of pieces) {
    if (offset < end || size < 0 || offset + size > realSize)
      throw new TarFault('its sparse map is not in order');
    end = offset + size;
    stored += size;
  }
  if (stored !== storedSize) throw new TarFault('its sparse map does not match what is stored');
}
