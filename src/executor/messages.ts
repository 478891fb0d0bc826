/** What goes over the channel between client.ts and main.ts. Requests of a run carry its number; see protocol.ts. */
import type { PlainError } from '../host/error-transport.ts';
import type { MountForm } from '../layer/mountable.ts';
import type { ExecRequest, ExecResult } from './protocol.ts';

export type ToExecutor =
  | { readonly type: 'init'; readonly session: Session }
  | { readonly type: 'run'; readonly run: number; readonly request: ExecRequest }
  | { readonly type: 'abort'; readonly run: number }
  | { readonly type: 'kill'; readonly id: string; readonly signal: NodeJS.Signals }
  | { readonly type: 'remove'; readonly run: number; readonly paths: readonly string[] }
  /** Clear up and end. */
  | { readonly type: 'stop' };

export type FromExecutor =
  /** The process is there: namespaces and all. */
  | { readonly type: 'ready' }
  | {
      readonly type: 'output';
      readonly run: number;
      readonly stream: 'stdout' | 'stderr';
      readonly bytes: Uint8Array;
    }
  | { readonly type: 'done'; readonly run: number; readonly result: ExecResult }
  | { readonly type: 'removed'; readonly run: number }
  | { readonly type: 'failed'; readonly run: number; readonly error: PlainError }
  | { readonly type: 'warning'; readonly message: string };

/** What an executor needs to know of its surroundings. */
export interface Session {
  readonly home: string;
  /** A private directory in the store's tmp/, for all that this executor writes. */
  readonly directory: string;
  /** What dead executors left there, to be removed. */
  readonly stale: readonly string[];
  readonly searchPath: string;
  /** How layers become root filesystems; otherwise it is found out what works. */
  readonly snapshots?: 'copy';
  readonly forms?: readonly MountForm[];
  /** Name of the OCI runtime; otherwise the best that there is. */
  readonly runtime?: string;
}
