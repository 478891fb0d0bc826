/**
 * Bringing a blob into a repository while it is still being made, as docker does: its bytes go by one PATCH of unknown
 * length, and its digest, which nobody knows before its last byte, with the PUT that ends the upload. Making and sending
 * then take the time of the longer one. There is one attempt, since whoever makes the blob keeps it, and can push it as it is.
 */
import type { PushOutcome } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { nonsense } from './error.ts';
import { discard } from './http.ts';
import { pushScope } from './scope.ts';
import {
  closeUpload,
  hasBlob,
  locationOf,
  OCTETS,
  startUpload,
  type UploadTarget,
} from './upload.ts';

/** `finished` gives what the bytes were, or nothing if there is no blob after all. */
export async function pushGrowing(
  target: UploadTarget,
  open: () => AsyncIterable<Uint8Array>,
  finished: Promise<Descriptor | undefined>,
): Promise<PushOutcome> {
  const started = await startUpload(target);
  if (started === 'mounted')
    throw new TypeError('an upload without a query cannot end in a mounted blob');
  const stop = new AbortController();
  const signal = target.signal ? AbortSignal.any([target.signal, stop.signal]) : stop.signal;
  // Where the network is slower than the making, the rest of what the registry has need not be sent.
  const isThere = finished.then(async (blob) => {
    const there = blob !== undefined && (await hasBlob(target, blob));
    if (there) stop.abort();
    return there;
  });
  isThere.catch(() => {});
  try {
    const location = await sendAll({ ...target, signal }, started.location, open);
    const blob = await finished;
    if (blob === undefined)
      throw nonsense({ method: 'PATCH', url: location }, 'the blob ended before its end');
    if (!(await isThere)) {
      await closeUpload(target, location, blob);
      return 'pushed';
    }
  } catch (error) {
    target.signal?.throwIfAborted();
    if (!(await isThere.catch(() => false))) {
      await cancel(target, started.location);
      throw error;
    }
  }
  await cancel(target, started.location);
  return 'exists';
}

async function sendAll(
  target: UploadTarget,
  location: URL,
  open: () => AsyncIterable<Uint8Array>,
): Promise<URL> {
  const { session, repository, signal } = target;
  const response = await session.callOnce({
    method: 'PATCH',
    url: location,
    headers: OCTETS,
    body: { open },
    scopes: [pushScope(repository)],
    expect: [202],
    answerMilliseconds: session.commitMilliseconds,
    ...(signal ? { signal } : {}),
  });
  await discard(response);
  return locationOf(response, 'PATCH');
}

/** So that the registry need not keep what came of it. Not all can; it goes with time then. */
async function cancel({ session, repository, signal }: UploadTarget, location: URL): Promise<void> {
  try {
    const response = await session.callOnce({
      method: 'DELETE',
      url: location,
      scopes: [pushScope(repository)],
      expect: [202, 204],
      ...(signal ? { signal } : {}),
    });
    await discard(response);
  } catch {
    signal?.throwIfAborted();
  }
}
