/**
 * The roles of anything that holds content. The local store, a registry, an OCI layout and a remote cache each play some
 * of them; pull, push and export are all {@link copyGraph}: a graph of descriptors goes from a source to a target,
 * children first, so that a target is complete at any moment.
 */
import type { Readable } from 'node:stream';
import type { Descriptor } from './descriptor.ts';

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Called with the bytes moved so far, at moments of the callee's choice. */
  readonly onProgress?: (current: number) => void;
}

export interface Fetcher {
  exists(descriptor: Descriptor, options?: CallOptions): Promise<boolean>;
  /**
   * The blob's bytes. The stream fails with `DIGEST_MISMATCH` before its end if digest or size differ, so who reads to
   * the end has verified content. @throws TsbuildError `NOT_FOUND` if the source does not have it.
   */
  fetch(descriptor: Descriptor, options?: CallOptions): Promise<Readable>;
}

export type PushOutcome = 'pushed' | 'exists' | 'mounted';

export interface Pusher {
  /**
   * Stores a blob (or a manifest, told apart by media type). Idempotent. `open` is called only if the bytes are needed,
   * and again if they are needed again (a retry).
   */
  push(
    descriptor: Descriptor,
    open: () => Promise<Readable>,
    options?: CallOptions,
  ): Promise<PushOutcome>;
}

export interface Resolver {
  /** The descriptor that a tag or digest stands for, or `undefined` if there is none. */
  resolve(tagOrDigest: string, options?: CallOptions): Promise<Descriptor | undefined>;
}

export interface Tagger {
  tag(tag: string, descriptor: Descriptor, options?: CallOptions): Promise<void>;
}
