/**
 * Ends threads between their calls of native modules, never in one: a module that finds that nothing can be thrown in a thread
 * that is ending has the whole process ended. Each thread of a pool has a gate, which it goes through with each call; who
 * wants to end the thread closes it first, and then the thread waits there for its end.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';

/** What a thread of a pool is started with. */
export interface ThreadData {
  readonly gate: SharedArrayBuffer;
}

const OPEN = 0;
const INSIDE = 1;
const CLOSED = 2;

export function createGate(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}

/** Settles when the gate's thread is outside, where it will stay. Idempotent. */
export async function closeGate(gate: SharedArrayBuffer): Promise<void> {
  const cell = new Int32Array(gate);
  while (Atomics.compareExchange(cell, 0, OPEN, CLOSED) === INSIDE) await pause(1);
}

/** Runs a function inside; it must not go through the gate itself. */
export type PassGate = <T>(call: () => T) => T;

/** The way through the gate of this thread; nothing in threads that have none, like the main one. */
export function ownGate(data: unknown = workerData): PassGate | undefined {
  const gate = (data as ThreadData | null | undefined)?.gate;
  return gate instanceof SharedArrayBuffer ? passGate(new Int32Array(gate)) : undefined;
}

function passGate(cell: Int32Array): PassGate {
  return (call) => {
    while (Atomics.compareExchange(cell, 0, OPEN, INSIDE) !== OPEN) Atomics.wait(cell, 0, CLOSED);
    try {
      return call();
    } finally {
      Atomics.store(cell, 0, OPEN);
    }
  };
}
