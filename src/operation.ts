/** What every long call of the API returns: a promise, an async iterable of events, and something to dispose of. */
import { setMaxListeners } from 'node:events';
import { TsbuildError } from './errors.ts';
import type { BuildEvent, EventSink } from './events.ts';
import type { Operation } from './options.ts';

export interface OperationContext {
  readonly emit: EventSink;
  readonly signal: AbortSignal;
}

/** Events kept for a reader who is late; logs and progress are dropped first. */
const MAX_PENDING = 10_000;
const DROPPABLE: ReadonlySet<BuildEvent['type']> = new Set(['step.log', 'step.progress', 'span']);

/** Starts `work` in the next microtask, so that the caller can attach to the operation first. */
export function startOperation<T>(
  work: (context: OperationContext) => Promise<T>,
  outer?: AbortSignal,
): Operation<T> {
  return new RunningOperation(work, outer);
}

class RunningOperation<T> implements Operation<T> {
  readonly [Symbol.toStringTag] = 'Operation';
  readonly #controller = new AbortController();
  readonly #sinks: EventSink[] = [];
  readonly #promise: Promise<T>;
  #pending: BuildEvent[] = [];
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(work: (context: OperationContext) => Promise<T>, outer?: AbortSignal) {
    // All that the operation does listens: a dozen of listeners is no leak.
    setMaxListeners(0, this.#controller.signal);
    const follow = () => this.abort(outer?.reason);
    if (outer?.aborted) follow();
    outer?.addEventListener('abort', follow, { once: true });
    this.#promise = Promise.resolve()
      .then(() => {
        this.#controller.signal.throwIfAborted();
        return work({ emit: (event) => this.#emit(event), signal: this.#controller.signal });
      })
      .finally(() => {
        outer?.removeEventListener('abort', follow);
        this.#ended = true;
        this.#wake?.();
      });
  }

  // biome-ignore lint/suspicious/noThenProperty: being awaitable is the point
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#promise.then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.#promise.catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<T> {
    return this.#promise.finally(onFinally);
  }

  onEvent(sink: EventSink): this {
    this.#sinks.push(sink);
    return this;
  }

  abort(reason: unknown = new TsbuildError('ABORTED', 'the operation was aborted')): void {
    this.#controller.abort(reason);
  }

  /** Ends when the operation succeeds; throws when it fails. */
  async *[Symbol.asyncIterator](): AsyncGenerator<BuildEvent, undefined> {
    // The failure is delivered below; without this it would also count as unhandled while we are suspended.
    this.#promise.catch(() => {});
    while (true) {
      const events = this.#pending;
      this.#pending = [];
      yield* events;
      if (this.#pending.length > 0) continue;
      if (this.#ended) break;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    await this.#promise;
    return undefined;
  }

  /** Aborts what still runs and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.abort();
    await this.#promise.then(
      () => {},
      () => {},
    );
  }

  #emit(event: BuildEvent): void {
    for (const sink of this.#sinks) sink(event);
    if (this.#pending.length >= MAX_PENDING && DROPPABLE.has(event.type)) return;
    this.#pending.push(event);
    this.#wake?.();
  }
}
