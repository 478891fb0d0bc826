/**
 * Entry of the executor: the process, first of its pid namespace, started by launch.ts and spoken to by client.ts,
 * and the worker threads of that process.
 */
import { isMainThread } from 'node:worker_threads';
import { lazily } from '../host/lazily.ts';
import { serveTasks } from '../host/worker-thread.ts';
import { createWorkers } from '../host/workers.ts';
import { serve } from './serve.ts';
import { executorTasks } from './tasks.ts';

/** Two steps may well end at once; and each that has written much is helped by two threads more. */
const THREADS = 2;
const entry = new URL(import.meta.url);

if (isMainThread) {
  // What is made here shall not depend on who called: not the modes of directories, nor what a container makes.
  process.umask(0o022);
  const workers = createWorkers({ entry, size: THREADS, lasting: true });
  serve({
    workers,
    onMessage: (listener) => process.on('message', listener),
    // The build process is gone: everything here goes with this process.
    onDisconnect: (listener) => process.on('disconnect', listener),
    send: (message) =>
      new Promise((resolve) => {
        process.send?.(message, undefined, {}, () => resolve());
      }),
    exit: (status) => process.exit(status),
  });
} else {
  serveTasks(executorTasks(lazily(() => createWorkers({ entry, size: THREADS }))));
}
