/** Fetching through mirrors: each is asked in its turn, and the registry itself last. What is pushed never goes to one. */
import { isTsbuildError } from '../errors.ts';
import type { CallOptions, Fetcher, Resolver } from '../oci/content.ts';
import type { Repository } from './repository.ts';

export type Source = Fetcher & Resolver;

/** A mirror that has failed once is not asked again; one that merely lacks something is. */
export function mirrored(
  mirrors: readonly Repository[],
  origin: Repository,
  warn: (message: string) => void,
): Source {
  if (mirrors.length === 0) return origin;
  const failed = new Set<Repository>();

  /** The first answer; `undefined` is none. */
  const ask = async <T>(
    question: (repository: Repository) => Promise<T | undefined>,
    signal: AbortSignal | undefined,
  ): Promise<T | undefined> => {
    for (const mirror of mirrors) {
      if (failed.has(mirror)) continue;
      try {
        const answer = await question(mirror);
        if (answer !== undefined) return answer;
      } catch (error) {
        signal?.throwIfAborted();
        if (!isTsbuildError(error)) throw error;
        if (error.code === 'NOT_FOUND') continue;
        failed.add(mirror);
        warn(`mirror ${mirror.registry}: ${error.message}; going on without it`);
      }
    }
    return question(origin);
  };

  return {
    resolve: (tagOrDigest, options?: CallOptions) =>
      ask((repository) => repository.resolve(tagOrDigest, options), options?.signal),
    exists: async (descriptor, options) =>
      (await ask(
        async (repository) => (await repository.exists(descriptor, options)) || undefined,
        options?.signal,
      )) === true,
    fetch: async (descriptor, options) =>
      (await ask((repository) => repository.fetch(descriptor, options), options?.signal))!,
  };
}
