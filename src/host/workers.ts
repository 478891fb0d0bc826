/**
 * Worker threads for work that keeps a core busy: hashing, writing layers, deflating. A task is a plain function under a
 * name, run by whatever thread is free; input and result are plain data. Threads are started when there is work for them,
 * and never keep the process alive while idle.
 *
 *     await using workers = createWorkers({ entry: 'dist/worker.cjs', size: 2 });
 *     const digests = await workers.run('context.hash', ranges, { signal });
 *
 * Aborting a task that runs ends its thread, since tasks are synchronous and cannot listen (but never within native code, see
 * native-gate.ts); another is started when it is needed. So a task must leave nothing behind that matters: it writes to a
 * directory of its caller's.
 */
import { Worker } from 'node:worker_threads';
import { TsbuildError } from '../errors.ts';
import { fromPlainError, type PlainError } from './error-transport.ts';
import { closeGate, createGate, type ThreadData } from './native-gate.ts';

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Called with whatever the task reports. */
  readonly onProgress?: (progress: unknown) => void;
  /** Buffers of the input that are moved instead of copied. */
  readonly transfer?: readonly ArrayBuffer[];
  /**
   * Tasks that have the same one are run by one thread as they come, and each begins as soon as the one before it has ended,
   * while the caller is busy with something else. To abort one aborts all of them.
   */
  readonly lane?: object | undefined;
}

export interface Workers extends AsyncDisposable {
  /** Rejects with the task's error, or with `signal.reason` once the task has ended. */
  run(task: string, input: unknown, options?: RunOptions): Promise<unknown>;
  /** Sees to it that a thread is there for a task that will come: starting one takes a while. */
  warm(): void;
  /** Until this is disposed of, threads stay when they have nothing to do: for work that waits for somebody at times. */
  hold(): Disposable;
}

/** What a task may do besides computing its result. */
export interface TaskContext {
  report(progress: unknown): void;
  /** Moves this buffer of the result to the caller instead of copying it. */
  transfer(buffer: ArrayBuffer): void;
}

export type Task = (input: never, context: TaskContext) => unknown;
export type Tasks = Readonly<Record<string, Task>>;

export interface WorkersOptions {
  /** File of the thread's entry, which calls {@link serveTasks} (worker-thread.ts). */
  readonly entry: string | URL;
  /** Threads at most. */
  readonly size: number;
  /** Threads stay when they have nothing to do: for tasks that remember what they have read. */
  readonly lasting?: boolean;
}

/** To a thread: one task. It answers in the order in which it was asked. */
export interface TaskRequest {
  readonly task: string;
  readonly input: unknown;
  /** Whether anybody listens to its reports: each one costs both threads a message. */
  readonly isFollowed: boolean;
}

/** From a thread: any number of reports, then a result or an error. */
export type TaskReply =
  | { readonly kind: 'progress'; readonly value: unknown }
  | { readonly kind: 'result'; readonly value: unknown }
  | { readonly kind: 'error'; readonly error: PlainError };

/** A thread holds some 15 MB, and takes 30 ms to start. */
const IDLE_MS = 20;
/** What threads work on lies in buffers; without a limit, V8 takes 20 MB for the few objects beside them. */
const YOUNG_MB = 2;

interface Job extends Omit<TaskRequest, 'isFollowed'> {
  readonly options: RunOptions;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

export function createWorkers(options: WorkersOptions): Workers {
  return new ThreadPool(options);
}

/** The same tasks in the calling thread, one after the other as they come: for tests, and for hosts without threads. */
export function inlineWorkers(tasks: Tasks): Workers {
  return {
    async run(task, input, { signal, onProgress } = {}) {
      signal?.throwIfAborted();
      const result = await findTask(tasks, task)(input as never, {
        report: (progress) => onProgress?.(progress),
        transfer: () => {},
      });
      signal?.throwIfAborted();
      return result;
    },
    warm() {},
    hold: () => ({ [Symbol.dispose]() {} }),
    async [Symbol.asyncDispose]() {},
  };
}

/** Own properties only: a task's name comes over a wire. */
export function findTask(tasks: Tasks, name: string): Task {
  const task = Object.hasOwn(tasks, name) ? tasks[name] : undefined;
  if (task === undefined) throw new TypeError(`no such task: ${name}`);
  return task;
}

interface Thread {
  readonly worker: Worker;
  readonly gate: SharedArrayBuffer;
  /** What it was asked for and has not answered, in this order. */
  readonly jobs: Job[];
}

class ThreadPool implements Workers {
  readonly #options: WorkersOptions;
  readonly #waiting: Job[] = [];
  readonly #idle: Thread[] = [];
  readonly #threads = new Set<Thread>();
  #closed = false;
  #holds = 0;
  #retiring: NodeJS.Timeout | undefined;

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  run(task: string, input: unknown, options: RunOptions = {}): Promise<unknown> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new TsbuildError('ABORTED', `run ${task}: the workers are closed`);
      signal?.throwIfAborted();
      const abort = () => this.#abort(job, signal?.reason);
      const settled = () => signal?.removeEventListener('abort', abort);
      const job: Job = {
        task,
        input,
        options,
        resolve: (value) => {
          settled();
          resolve(value);
        },
        reject: (reason) => {
          settled();
          reject(reason);
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.push(job);
      this.#dispatch();
    });
  }

  warm(): void {
    if (this.#closed || this.#idle.length > 0) return;
    const thread = this.#start();
    if (thread === undefined) return;
    thread.worker.unref();
    this.#idle.push(thread);
  }

  hold(): Disposable {
    this.#holds += 1;
    return {
      [Symbol.dispose]: () => {
        this.#holds -= 1;
        this.#retireSoon();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const reason = new TsbuildError('ABORTED', 'the workers were closed');
    for (const job of this.#waiting.splice(0)) job.reject(reason);
    await Promise.all([...this.#threads].map((thread) => this.#end(thread, reason)));
  }

  /** In their order, but what is on a lane need not wait behind others while a thread works for it. */
  #dispatch(): void {
    const waiting = this.#waiting.splice(0);
    this.#waiting.push(...waiting.filter((job) => !this.#place(job)));
  }

  /** Whether there was a thread for it. */
  #place(job: Job): boolean {
    const { lane } = job.options;
    const thread = (lane && this.#threadOn(lane)) ?? this.#idle.pop() ?? this.#start();
    if (thread !== undefined) this.#post(thread, job);
    return thread !== undefined;
  }

  /** The one that works for a lane. */
  #threadOn(lane: object): Thread | undefined {
    return [...this.#threads].find(({ jobs }) => jobs[0]?.options.lane === lane);
  }

  #post(thread: Thread, job: Job): void {
    try {
      const { task, input, options } = job;
      const request: TaskRequest = { task, input, isFollowed: options.onProgress !== undefined };
      thread.worker.postMessage(request, [...(options.transfer ?? [])]);
      thread.jobs.push(job);
      thread.worker.ref();
    } catch (error) {
      // The input cannot be cloned: the thread has not even heard of it.
      this.#release(thread);
      job.reject(error);
    }
  }

  #start(): Thread | undefined {
    if (this.#threads.size >= this.#options.size) return undefined;
    const workerData: ThreadData = { gate: createGate() };
    const worker = new Worker(this.#options.entry, {
      ...{ execArgv: [], workerData },
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    const thread: Thread = { worker, gate: workerData.gate, jobs: [] };
    this.#threads.add(thread);
    worker.on('message', (reply: TaskReply) => this.#receive(thread, reply));
    worker.on('error', (error) => this.#lost(thread, error));
    worker.on('exit', (code) => this.#lost(thread, new Error(`exit code ${code}`)));
    return thread;
  }

  #receive(thread: Thread, reply: TaskReply): void {
    const [job] = thread.jobs;
    if (job === undefined || !this.#threads.has(thread)) return;
    if (reply.kind === 'progress') {
      job.options.onProgress?.(reply.value);
      return;
    }
    thread.jobs.shift();
    this.#release(thread);
    if (reply.kind === 'result') job.resolve(reply.value);
    else job.reject(fromPlainError(reply.error));
    this.#dispatch();
  }

  #release(thread: Thread): void {
    if (thread.jobs.length > 0) return;
    this.#idle.push(thread);
    thread.worker.unref();
    this.#retireSoon();
  }

  #retireSoon(): void {
    if (this.#options.lasting || this.#holds > 0) return;
    this.#retiring ??= setTimeout(() => this.#retire(), IDLE_MS).unref();
  }

  /** Ends the threads that have nothing to do, unless there was work in between. */
  #retire(): void {
    this.#retiring = undefined;
    if (this.#idle.length < this.#threads.size || this.#holds > 0) return;
    for (const thread of [...this.#idle]) void this.#end(thread, undefined);
  }

  /** A thread that ended by itself: out of memory, or a crash of native code. */
  #lost(thread: Thread, cause: unknown): void {
    if (!this.#forget(thread)) return;
    for (const job of thread.jobs) {
      const message = `run ${job.task}: the worker thread died`;
      job.reject(new TsbuildError('INTERNAL', message, { cause }));
    }
    this.#dispatch();
  }

  #forget(thread: Thread): boolean {
    const at = this.#idle.indexOf(thread);
    if (at >= 0) this.#idle.splice(at, 1);
    return this.#threads.delete(thread);
  }

  #abort(job: Job, reason: unknown): void {
    const at = this.#waiting.indexOf(job);
    if (at >= 0) {
      this.#waiting.splice(at, 1);
      job.reject(reason);
      return;
    }
    const thread = [...this.#threads].find(({ jobs }) => jobs.includes(job));
    if (thread !== undefined) void this.#end(thread, reason).then(() => this.#dispatch());
  }

  /** Its jobs are over only when it no longer writes anything. */
  async #end(thread: Thread, reason: unknown): Promise<void> {
    this.#forget(thread);
    await closeGate(thread.gate);
    await thread.worker.terminate();
    for (const job of thread.jobs) job.reject(reason);
  }
}
