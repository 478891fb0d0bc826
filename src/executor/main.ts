/**
 * Entry of the executor: the process, first of its pid namespace, started by launch.ts and spoken to by client.ts,
 * and the worker threads of that process.
 */
import { isMainThread } from 'node:worker_threads';
import { lazily } from '../host/lazily.ts';
import { serveTasks } from '../host/worker-thread.ts';
import { createWorkers } from '../host/workers.ts';
import { INHERITED } from './launch.ts';
import { serve, THREADS } from './serve.ts';
import { executorTasks } from './tasks.ts';

const entry = new URL(import.meta.url);

if (isMainThread) {
  // What is made here shall not depend on who called: not the modes of directories, nor what a container makes.
  process.umask(0o022);
  const workers = createWorkers({ entry, size: THREADS, lasting: true });
  const { receive } = serve({
    workers,
    streams: INHERITED,
    send: (message) =>
      new Promise((resolve) => {
        process.send?.(message, undefined, {}, () => resolve());
      }),
    onStopped: () => process.exit(0),
  });
  process.on('message', receive);
  // The build process is gone: everything here goes with this process.
  process.on('disconnect', () => process.exit(0));
} else {
  serveTasks(executorTasks(lazily(() => createWorkers({ entry, size: THREADS }))));
}
