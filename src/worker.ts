/** Entry of a worker thread: every task that any part of tsbuild hands to threads. */
import { HASH_TASK, hashRanges } from './context/hash-files.ts';
import { serveTasks } from './host/worker-thread.ts';
import { layerTasks } from './layer/tasks.ts';

serveTasks({ ...layerTasks, [HASH_TASK]: hashRanges });
