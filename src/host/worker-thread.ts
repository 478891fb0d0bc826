/** The thread's side of workers.ts. */
import { parentPort } from 'node:worker_threads';
import { toPlainError } from './error-transport.ts';
import { findTask, type TaskReply, type TaskRequest, type Tasks } from './workers.ts';

/** Runs the tasks that the pool sends, one at a time and in their order, for as long as the thread lives. */
export function serveTasks(tasks: Tasks): void {
  const port = parentPort;
  if (port === null) throw new TypeError('tasks are served in a worker thread only');
  const reply = (message: TaskReply, transfer: ArrayBuffer[] = []) =>
    port.postMessage(message, transfer);
  const serve = async ({ task, input, isFollowed }: TaskRequest): Promise<void> => {
    const transfer: ArrayBuffer[] = [];
    try {
      const value = await findTask(tasks, task)(input as never, {
        report: (progress) => isFollowed && reply({ kind: 'progress', value: progress }),
        transfer: (buffer) => void transfer.push(buffer),
      });
      reply({ kind: 'result', value }, transfer);
    } catch (error) {
      reply({ kind: 'error', error: toPlainError(error) });
    }
  };
  let last: Promise<void> = Promise.resolve();
  port.on('message', (request: TaskRequest) => {
    last = last.then(() => serve(request));
  });
}
