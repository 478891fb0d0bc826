/** What worker threads do for contexts; worker.ts registers it. */
import { type FileRange, HASH_TASK, hashRanges } from './hash-files.ts';

export const contextTasks = {
  [HASH_TASK]: (input: unknown): string[] => hashRanges(input as readonly FileRange[]),
} as const;
