/**
 * Takes gzip apart by ISA-L, synchronously: any number of members, each held to its checksum and size, as node:zlib does it.
 * The library inflates what is between a member's header and its trailer; headers are read here, which it does not do
 * rightly when one comes in pieces.
 */
import { crc32, gzipSync } from 'node:zlib';
import { lazily } from '../host/lazily.ts';
import { type Libisal, libisal } from '../host/libisal.ts';

/** Fails with codes that begin with `Z_`, and is of no more use then. */
export interface Gunzip {
  /** The bytes are lent. */
  push(bytes: Buffer): void;
  /** Call at the end of the file, which may be in the middle of a member. */
  end(): void;
}

/** Nothing where there is no ISA-L, or not the one that is known here. `write` is lent what comes out. */
export function isalGunzip(write: (bytes: Buffer) => void): Gunzip | undefined {
  const { library } = trusted();
  return library && gunzipBy(library, write);
}

function gunzipBy(library: Libisal, write: (bytes: Buffer) => void): Gunzip {
  const inflate = memberInflate(library, write);
  let place: 'start' | 'member' | 'between' | 'padding' = 'start';
  let header: Buffer = NOTHING;
  const push = (bytes: Buffer): void => {
    let rest = header.length === 0 ? bytes : Buffer.concat([header, bytes]);
    header = NOTHING;
    while (rest.length > 0 && place !== 'padding') {
      if (place === 'member') {
        const { taken, isDone } = inflate.push(rest);
        rest = rest.subarray(taken);
        if (isDone) place = 'between';
      } else if (place === 'between' && rest[0] === 0) {
        place = 'padding';
      } else {
        const size = headerSize(rest);
        if (size === undefined) {
          header = Buffer.from(rest);
          return;
        }
        inflate.start();
        rest = rest.subarray(size);
        place = 'member';
      }
    }
  };
  const end = (): void => {
    if (place === 'start' || place === 'member' || header.length > 0)
      throw damaged('it ends within a member');
  };
  return { push, end };
}

const NOTHING = Buffer.alloc(0);

/** RFC 1952, 2.3.1. */
const MAGIC = Buffer.of(0x1f, 0x8b, 8);
const FIXED_BYTES = 10;
const FLAG = { crc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 };
/** Names are shorter. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** Of the header at the start of these bytes; `undefined` if it goes on behind them. */
function headerSize(bytes: Buffer): number | undefined {
  if (!MAGIC.subarray(0, bytes.length).equals(bytes.subarray(0, MAGIC.length)))
    throw damaged('a member has no header');
  const flags = bytes[3] ?? 0;
  if ((flags & FLAG.reserved) !== 0) throw damaged('a header has unknown flags');
  const end = fieldsEnd(bytes, flags);
  const size = end + ((flags & FLAG.crc) === 0 ? 0 : 2);
  if (size > Math.min(bytes.length, MAX_HEADER_BYTES)) {
    if (bytes.length >= MAX_HEADER_BYTES) throw damaged('a header is too large');
    return undefined;
  }
  if (size > end && (crc32(bytes.subarray(0, end)) & 0xffff) !== bytes.readUInt16LE(end))
    throw damaged('a header has another checksum');
  return size;
}

/** Infinite where the bytes do not tell. */
function fieldsEnd(bytes: Buffer, flags: number): number {
  let end = FIXED_BYTES;
  if ((flags & FLAG.extra) !== 0) {
    if (bytes.length < end + 2) return Number.POSITIVE_INFINITY;
    end += 2 + bytes.readUInt16LE(end);
  }
  for (const flag of [FLAG.name, FLAG.comment]) {
    if ((flags & flag) === 0) continue;
    const zero = bytes.indexOf(0, end);
    if (zero < 0) return Number.POSITIVE_INFINITY;
    end = zero + 1;
  }
  return end;
}

/** Inflates what follows a member's header, its trailer included. */
interface MemberInflate {
  start(): void;
  /** How many of the bytes belong to the member, and whether it ends with them. */
  push(bytes: Buffer): { readonly taken: number; readonly isDone: boolean };
}

/** The struct `inflate_state` has 87368 bytes. */
const STATE_BYTES = 128 * 1024;
const NEXT_OUT = 0 / 8;
const AVAIL_OUT = 8 / 4;
const NEXT_IN = 16 / 8;
const AVAIL_IN = 32 / 4;
const BLOCK_STATE = 21160 / 4;
const CRC_FLAG = 21172 / 4;
/** A bare trailer, which is verified. */
const ISAL_GZIP_NO_HDR_VER = 6;
const ISAL_BLOCK_FINISH = 5;

/** What comes out at once: so much that most goes where it belongs at once, so little that caches hold it. */
const OUTPUT_BYTES = 256 * 1024;

function memberInflate(library: Libisal, write: (bytes: Buffer) => void): MemberInflate {
  const state = Buffer.from(new ArrayBuffer(STATE_BYTES));
  const words = new Uint32Array(state.buffer);
  const addresses = new BigUint64Array(state.buffer);
  const output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  /** Whether there may be more of what has been given. */
  const step = (): boolean => {
    addresses[NEXT_OUT] = library.address(output);
    words[AVAIL_OUT] = output.length;
    const before = words[AVAIL_IN]!;
    const result = library.isal_inflate(state);
    const size = output.length - words[AVAIL_OUT]!;
    if (result < 0) throw damaged(`isal_inflate returned ${result}`);
    if (size > output.length || words[AVAIL_IN]! > before) throw damaged('isal_inflate is lost');
    if (size > 0) write(output.subarray(0, size));
    const hasMoved = size > 0 || words[AVAIL_IN]! < before;
    const hasMore = size === output.length || words[AVAIL_IN]! > 0;
    return words[BLOCK_STATE] !== ISAL_BLOCK_FINISH && hasMoved && hasMore;
  };
  return {
    start() {
      library.isal_inflate_init(state);
      words[CRC_FLAG] = ISAL_GZIP_NO_HDR_VER;
    },
    push(bytes) {
      addresses[NEXT_IN] = library.address(bytes);
      words[AVAIL_IN] = bytes.length;
      while (step());
      const isDone = words[BLOCK_STATE] === ISAL_BLOCK_FINISH;
      const taken = bytes.length - words[AVAIL_IN]!;
      if (!isDone && taken < bytes.length) throw damaged('isal_inflate is stuck');
      return { taken, isDone };
    },
  };
}

function damaged(why: string): Error {
  return Object.assign(new Error(why), { code: 'Z_DATA_ERROR' });
}

/**
 * The library is given structs whose fields are known here by their places, so it is asked once to inflate something; the
 * structs have room behind them, should they have grown.
 */
const trusted = lazily((): { readonly library?: Libisal } => {
  const library = libisal();
  return library !== undefined && inflatesRightly(library) ? { library } : {};
});

function inflatesRightly(library: Libisal): boolean {
  const plain = Buffer.from('what repeats and repeats '.repeat(20));
  const members = Buffer.concat([gzipSync(plain), gzipSync(plain)]);
  const chunks: Buffer[] = [];
  const gunzip = gunzipBy(library, (bytes) => void chunks.push(Buffer.from(bytes)));
  try {
    gunzip.push(members.subarray(0, 30));
    gunzip.push(members.subarray(30));
    gunzip.end();
    return Buffer.concat(chunks).equals(Buffer.concat([plain, plain]));
  } catch {
    return false;
  }
}
