/** A layer's tar in parts of one size, all there but for the files' bytes: what fill-part.ts completes. */
import { hash } from 'node:crypto';
import { END_OF_ARCHIVE } from '../tar/encode.ts';
import { BLOCK, padding } from '../tar/entry.ts';
import type { Content, FileRange } from '../tree/file-tree.ts';
import { type Gaps, noGaps, openState, type TarPart } from './fill-part.ts';
import type { LayerInput } from './layer.ts';
import { type LaidOut, type LayoutOptions, startLayout } from './tar-layout.ts';

export interface CutOptions extends LayoutOptions {
  /** See {@link TarPart.consume}. */
  readonly consume?: boolean | undefined;
}

/** A part that is being put together. */
interface Draft {
  readonly tar: string;
  readonly consume: boolean;
  /** Where it begins in the tar. */
  start: number;
  bytes: Uint8Array;
  used: number;
  gaps: Gaps;
  ended: string[];
}

type Parts<T> = Generator<TarPart, T, SharedArrayBuffer>;

/** Fills `first`; each part is answered with the buffer for the next one. */
export function* cutParts(
  inputs: Iterable<LayerInput>,
  options: CutOptions,
  first: SharedArrayBuffer,
): Parts<LaidOut> {
  const { tar, consume = false } = options;
  const draft: Draft = {
    tar,
    consume,
    start: 0,
    bytes: new Uint8Array(first),
    used: 0,
    gaps: noGaps(),
    ended: [],
  };
  const layout = startLayout(options);
  for (const input of inputs) {
    const { headers, file } = layout.add(input);
    if (!putWhole(draft, headers)) yield* putBytes(draft, headers);
    if (file === undefined) continue;
    const { content, path, node } = file;
    node.sha256 ??= knownHash(content);
    if (!gapWhole(draft, content, path)) yield* putContent(draft, content, path);
  }
  yield* putBytes(draft, END_OF_ARCHIVE);
  yield partOf(draft);
  return layout.finish();
}

/** What most often fits as a whole, without the ado of what does not. */
function putWhole(draft: Draft, bytes: Uint8Array): boolean {
  if (draft.used + bytes.length > draft.bytes.length) return false;
  draft.bytes.set(bytes, draft.used);
  draft.used += bytes.length;
  return true;
}

function gapWhole(draft: Draft, content: Content, name: string): boolean {
  if ('bytes' in content || content.size === 0) return false;
  const { size } = content;
  const end = draft.used + size + padding(size);
  if (end > draft.bytes.length) return false;
  addGap(draft, size, 0, content, name);
  draft.bytes.fill(0, draft.used + size, end);
  draft.used = end;
  return true;
}

function* putContent(draft: Draft, content: Content, name: string): Parts<void> {
  if ('bytes' in content) {
    yield* putBytes(draft, content.bytes);
    yield* putBytes(draft, zeros(padding(content.bytes.length)));
    return;
  }
  for (let skip = 0; skip < content.size; ) {
    const size = yield* makeRoom(draft, content.size - skip);
    addGap(draft, size, skip, content, name);
    draft.used += size;
    skip += size;
    if (size < content.size && skip === content.size) draft.ended.push(content.file);
  }
  yield* putBytes(draft, zeros(padding(content.size)));
}

function addGap(
  { gaps, used }: Draft,
  size: number,
  skip: number,
  range: FileRange,
  name: string,
): void {
  gaps.at.push(used);
  gaps.size.push(size);
  gaps.skip.push(skip);
  gaps.file.push(range.file);
  gaps.offset.push(range.offset);
  gaps.rangeSize.push(range.size);
  gaps.ctime.push(range.ctime);
  gaps.name.push(name);
}

const ZEROS = Buffer.alloc(BLOCK);

function zeros(size: number): Buffer {
  return ZEROS.subarray(0, size);
}

function* putBytes(draft: Draft, bytes: Uint8Array): Parts<void> {
  for (let at = 0; at < bytes.length; ) {
    const size = yield* makeRoom(draft, bytes.length - at);
    draft.bytes.set(bytes.subarray(at, at + size), draft.used);
    draft.used += size;
    at += size;
  }
}

/** How many of `wanted` bytes the part has room for: at least one. */
function* makeRoom(draft: Draft, wanted: number): Parts<number> {
  if (draft.used === draft.bytes.length) {
    const next = yield partOf(draft);
    draft.start += draft.used;
    draft.bytes = new Uint8Array(next);
    draft.used = 0;
    draft.gaps = noGaps();
    draft.ended = [];
  }
  return Math.min(wanted, draft.bytes.length - draft.used);
}

function partOf({ bytes, used: size, ...draft }: Draft): TarPart {
  const shared = bytes.buffer as unknown as SharedArrayBuffer;
  return { ...draft, size, bytes: shared, state: openState() };
}

function knownHash(content: Content): string | undefined {
  return 'bytes' in content ? hash('sha256', content.bytes, 'hex') : undefined;
}
