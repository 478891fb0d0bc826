/** A layer's tar in parts of one size, all there but for the files' bytes: what fill-part.ts completes. */
import { hash } from 'node:crypto';
import { BLOCK, padding } from '../tar/entry.ts';
import type { Content } from '../tree/file-tree.ts';
import type { Gap, TarPart } from './fill-part.ts';
import type { LayerInput } from './layer.ts';
import { type LaidOut, type LayoutOptions, layOut } from './tar-layout.ts';

/** A part that is being put together. */
interface Draft {
  readonly tar: string;
  /** Where it begins in the tar. */
  start: number;
  bytes: Buffer;
  used: number;
  gaps: Gap[];
}

type Parts<T> = Generator<TarPart, T, SharedArrayBuffer>;

/** Fills `first`; each part is answered with the buffer for the next one. */
export function* cutParts(
  inputs: Iterable<LayerInput>,
  options: LayoutOptions,
  first: SharedArrayBuffer,
): Parts<LaidOut> {
  const draft = { tar: options.tar, start: 0, bytes: Buffer.from(first), used: 0, gaps: [] };
  const layout = layOut(inputs, options);
  let step = layout.next();
  while (!step.done) {
    const piece = step.value;
    if (piece instanceof Uint8Array) {
      yield* putBytes(draft, piece);
      step = layout.next();
      continue;
    }
    const { content, path, sha256 } = piece;
    yield* putContent(draft, content, path);
    step = layout.next(sha256 ?? knownHash(content));
  }
  if (draft.used > 0) yield partOf(draft);
  return step.value;
}

function* putContent(draft: Draft, content: Content, name: string): Parts<void> {
  if ('bytes' in content) {
    yield* putBytes(draft, content.bytes);
    yield* putBytes(draft, zeros(padding(content.bytes.length)));
    return;
  }
  for (let skip = 0; skip < content.size; ) {
    const size = yield* makeRoom(draft, content.size - skip);
    draft.gaps.push({ at: draft.used, size, skip, range: content, name });
    draft.used += size;
    skip += size;
  }
  yield* putBytes(draft, zeros(padding(content.size)));
}

const ZEROS = Buffer.alloc(BLOCK);

function zeros(size: number): Buffer {
  return ZEROS.subarray(0, size);
}

function* putBytes(draft: Draft, bytes: Uint8Array): Parts<void> {
  for (let at = 0; at < bytes.length; ) {
    const size = yield* makeRoom(draft, bytes.length - at);
    // Most often all of it: a view of it would cost more than the copy.
    draft.bytes.set(size === bytes.length ? bytes : bytes.subarray(at, at + size), draft.used);
    draft.used += size;
    at += size;
  }
}

/** How many of `wanted` bytes the part has room for: at least one. */
function* makeRoom(draft: Draft, wanted: number): Parts<number> {
  if (draft.used === draft.bytes.length) {
    const next = yield partOf(draft);
    draft.start += draft.used;
    draft.bytes = Buffer.from(next);
    draft.used = 0;
    draft.gaps = [];
  }
  return Math.min(wanted, draft.bytes.length - draft.used);
}

function partOf({ tar, start, used: size, bytes, gaps }: Draft): TarPart {
  return { tar, start, size, bytes: bytes.buffer as unknown as SharedArrayBuffer, gaps };
}

function knownHash(content: Content): string | undefined {
  return 'bytes' in content ? hash('sha256', content.bytes, 'hex') : undefined;
}
