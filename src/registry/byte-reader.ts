import type { Readable } from 'node:stream';

/** Reads a stream by counts of bytes instead of by the chunks that it happens to come in. */
export interface ByteReader {
  /** The next `count` bytes, fewer at the end of the stream. */
  read(count: number): AsyncIterable<Uint8Array>;
  skip(count: number): Promise<void>;
}

export function byteReader(source: Readable): ByteReader {
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let rest: Uint8Array = new Uint8Array(0);
  async function* read(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0; ) {
      if (rest.length === 0) {
        const next = await chunks.next();
        if (next.done) return;
        rest = next.value;
      }
      const part = rest.subarray(0, left);
      rest = rest.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }
  return {
    read,
    skip: async (count) => {
      for await (const part of read(count)) void part;
    },
  };
}
