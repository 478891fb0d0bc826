/** Fetching through mirrors: each is asked in its turn, and the registry itself last. What is pushed never goes to one. */
import { pipeline, Readable } from 'node:stream';
import { isTsbuildError } from '../errors.ts';
import { verifyStream } from '../host/hash-stream.ts';
import type { CallOptions, Fetcher, Resolver } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isDocumentType } from '../oci/media-types.ts';
import type { Repository } from './repository.ts';

export type Source = Fetcher & Resolver;

/** What one of them has answered. */
interface Answer<T> {
  readonly from: Repository;
  readonly value: T;
}

/** A mirror that has failed once is not asked again; one that merely lacks something is. */
export function mirrored(
  mirrors: readonly Repository[],
  origin: Repository,
  warn: (message: string) => void,
): Source {
  if (mirrors.length === 0) return origin;
  const failed = new Set<Repository>();

  /** Throws what a mirror is not left for: that the registry itself fails, or that we were told to stop. */
  const leave = (mirror: Repository, error: unknown, signal: AbortSignal | undefined): void => {
    signal?.throwIfAborted();
    if (mirror === origin || !isTsbuildError(error)) throw error;
    failed.add(mirror);
    warn(`mirror ${mirror.registry}: ${error.message}; going on without it`);
  };

  /** The first answer; `undefined` is none. */
  const ask = async <T>(
    question: (repository: Repository) => Promise<T | undefined>,
    signal: AbortSignal | undefined,
  ): Promise<Answer<T> | undefined> => {
    for (const from of [...mirrors.filter((mirror) => !failed.has(mirror)), origin]) {
      try {
        const value = await question(from);
        if (value !== undefined) return { from, value };
      } catch (error) {
        if (from === origin || !isTsbuildError(error) || error.code !== 'NOT_FOUND')
          leave(from, error, signal);
      }
    }
    return undefined;
  };

  const open = async (descriptor: Descriptor, start: number, options: CallOptions = {}) =>
    // The registry itself throws where it has nothing.
    (await ask((from) => from.openBlob(descriptor, start, options), options.signal))!;

  /** Where a mirror breaks off for good, the next goes on. */
  async function* bytes(first: Answer<Readable>, descriptor: Descriptor, options?: CallOptions) {
    let [source, offset] = [first, 0];
    for (;;) {
      try {
        for await (const chunk of source.value as AsyncIterable<Buffer>) {
          offset += chunk.length;
          yield chunk;
        }
        return;
      } catch (error) {
        leave(source.from, error, options?.signal);
      }
      source = await open(descriptor, offset, options);
    }
  }

  const fetchBlob = async (descriptor: Descriptor, options?: CallOptions): Promise<Readable> => {
    const first = await open(descriptor, 0, options);
    const source = Readable.from(bytes(first, descriptor, options), { objectMode: false });
    const what = `blob ${descriptor.digest} from ${first.from.registry}`;
    // A stream that is dropped unread never starts its generator, which would have closed the connection.
    return pipeline(source, verifyStream(descriptor, what), () => first.value.destroy());
  };

  return {
    resolve: async (tagOrDigest, options) =>
      (await ask((from) => from.resolve(tagOrDigest, options), options?.signal))?.value,
    exists: async (descriptor, options) =>
      (await ask(
        async (from) => (await from.exists(descriptor, options)) || undefined,
        options?.signal,
      )) !== undefined,
    fetch: async (descriptor, options) =>
      isDocumentType(descriptor.mediaType)
        ? (await ask((from) => from.fetch(descriptor, options), options?.signal))!.value
        : fetchBlob(descriptor, options),
  };
}
