/**
 * A request's body on its way out. The HTTP library has no timeout for a peer that stops reading, and a registry may take
 * minutes to commit what it has read, so the two are told apart here: silence counts only while a chunk waits to be taken.
 */
import type { HttpBody, HttpStream } from './http.ts';

export interface WatchedBody {
  readonly bytes: Uint8Array | AsyncIterable<Uint8Array> | null;
  /** Aborts when the peer has taken nothing for too long. */
  readonly signal?: AbortSignal;
  /** Why our own side could not go on, if so: not the network's fault. */
  readonly sourceFailure: unknown;
}

/** The body's stream is opened when the connection asks for its first byte, so one that is never asked leaks nothing. */
export function watchedBody(body: HttpBody | undefined, stallMilliseconds: number): WatchedBody {
  if (body === undefined) return { bytes: null, sourceFailure: undefined };
  if (body instanceof Uint8Array) return { bytes: body, sourceFailure: undefined };
  const stalled = new AbortController();
  let sourceFailure: unknown;
  async function* send(open: HttpStream['open']): AsyncGenerator<Uint8Array> {
    let waiting = false;
    const timer = setTimeout(() => {
      if (waiting) stalled.abort(stallError());
    }, stallMilliseconds);
    try {
      for await (const chunk of await open()) {
        waiting = true;
        timer.refresh();
        yield chunk;
        waiting = false;
      }
    } catch (error) {
      sourceFailure = error;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
  return {
    bytes: send(body.open),
    signal: stalled.signal,
    get sourceFailure() {
      return sourceFailure;
    },
  };
}

function stallError(): Error {
  return Object.assign(new Error('the registry stopped reading'), { code: 'UND_ERR_BODY_TIMEOUT' });
}
