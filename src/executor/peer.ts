/** An executor as the build process meets it, wherever it runs: child-process.ts or same-process.ts. */
import type { FromExecutor, ToExecutor } from './messages.ts';

export interface Peer {
  /** Whether it takes messages. */
  isThere(): boolean;
  send(message: ToExecutor): void;
  /** Ends it at once, with all that it runs. */
  kill(): void;
  /** What it has said beside messages: nothing, unless it fails. */
  lastWords(): string;
}

export interface PeerListener {
  onMessage(message: FromExecutor): void;
  /** Called once, when nothing of it is left. */
  onEnd(why: string): void;
}

/** Attaches the only listener. */
export type Meet = (listener: PeerListener) => Peer;
