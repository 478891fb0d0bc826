/**
 * COPY and ADD as steps: select, digest for the key, and on a miss plan the entries and write the layer, unless the step made the
 * same one before.
 *
 * `--link` changes nothing, as in Docker Engine 28: the files are put where they would be without it, links in the base
 * followed. What it promises, that a new base does not cost a new copy, would be paid with another result.
 */
import { recipe } from '../cache/recipe.ts';
import type { KnownContents } from '../context/known-contents.ts';
import { parseGitReference } from '../context/location.ts';
import { isTsbuildError, TsbuildError } from '../errors.ts';
import { startSpan } from '../events.ts';
import type { CopyOp } from '../graph/step.ts';
import { lazily } from '../host/lazily.ts';
import type { Layer, LayerInput } from '../layer/layer.ts';
import { digestFromHex, hexOf } from '../oci/digest.ts';
import { EMPTY_TREE, type FileNode, type FileTree } from '../tree/file-tree.ts';
import { hintElsewhere } from '../tree/missing.ts';
import { resolveOwner } from '../tree/users.ts';
import { digestCopy, filesOf } from './copy-digest.ts';
import { NO_CHMOD, parseChmod } from './copy-mode.ts';
import { planCopy } from './copy-plan.ts';
import { type CopyItem, type CopySelection, type CopySource, selectCopy } from './copy-select.ts';
import type { CopySources } from './copy-sources.ts';
import { stampCopy } from './copy-stamp.ts';
import type { OpHandler, StepContext } from './handler.ts';

export interface TransferEnvironment {
  readonly contextTree: (name: string) => Promise<FileTree>;
  /** All source words by which this build takes files from a context; found when they are asked for. */
  readonly contextWords: (name: string) => () => readonly string[];
  /** The digests of what other builds took from contexts. */
  readonly knownContents: Pick<KnownContents, 'get' | 'set'>;
  /** Sees to it that file nodes know their sha256. */
  readonly hashFiles: (nodes: readonly FileNode[]) => Promise<void>;
  /** Told of a layer of so many paths before it is planned, so that who will write it can get ready. */
  readonly expectLayer: (paths: number) => void;
  readonly writeLayer: (
    inputs: readonly LayerInput[],
    signal: AbortSignal,
    before: MadeBefore | undefined,
  ) => Promise<Layer>;
  /** What ADD brings. */
  readonly sources: Pick<CopySources, 'fetchSource' | 'openArchives'>;
  /** Nanoseconds: the time of files and directories that no source gave one. */
  readonly createdTime: bigint;
  readonly sourceDateEpoch?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** A layer that may be what comes out again. */
export interface MadeBefore {
  readonly layer: Layer;
  /** With `--no-cache`: what is known of the files is not relied on, they are read. */
  readonly mustRead: boolean;
}

export function transferHandler(environment: TransferEnvironment): OpHandler<CopyOp> {
  return async (context) => {
    const { op } = context.step;
    const { parent, signal } = context;
    const chmod = op.chmod === undefined ? NO_CHMOD : parseChmod(op.chmod);
    const flags = { hasOwner: op.chown !== undefined, hasMode: chmod.isAbsolute };
    const { hashFiles, knownContents } = environment;
    const since = (environment.now ?? Date.now)();
    const endStat = startSpan(context.span, 'stat');
    const selection = { ...op, sources: await sourcesOf(context, environment) };
    const stamp = stampCopy(selection, flags);
    const known = stamp && knownContents.get(stamp.sha256);
    const selectItems = lazily(() => select(selection));
    if (known === undefined) await selectItems();
    endStat();
    const content = known ?? hexOf(await digestCopy(await selectItems(), { ...flags, hashFiles }));
    const isNew = stamp !== undefined && known === undefined;
    if (isNew && stamp.settled <= since) knownContents.set(stamp.sha256, content);
    return {
      recipe: recipe('copy.v1', {
        parent: parent.chain,
        destination: op.destination,
        workdir: op.workdir,
        chown: op.chown,
        chmod: op.chmod,
        content: digestFromHex(content),
        epoch: environment.sourceDateEpoch?.toString(),
      }),
      async execute(before) {
        const endCopy = startSpan(context.span, 'copy');
        const items = await selectItems();
        // So that the index of the layer has them.
        if (known !== undefined) await hashFiles(filesOf(items));
        environment.expectLayer(items.reduce((sum, { entries }) => sum + 1 + entries.length, 0));
        const users = parent.layers.length === 0 ? undefined : parent.tree;
        await using opened = await environment.sources.openArchives(items, signal);
        const inputs = planCopy(items, {
          base: parent.tree,
          path: op.destination,
          workdir: op.workdir,
          ...(op.chown === undefined ? {} : { owner: resolveOwner(users, op.chown) }),
          chmod,
          createdTime: environment.createdTime,
          archives: opened.archives,
        });
        const layer =
          inputs.length === 0
            ? undefined
            : await environment.writeLayer(inputs, signal, madeBefore(context, before()));
        endCopy();
        return layer;
      },
    };
  };
}

function madeBefore(
  { step }: StepContext<CopyOp>,
  layer: Layer | undefined,
): MadeBefore | undefined {
  return layer && { layer, mustRead: step.noCache };
}

/** @throws TsbuildError of selectCopy, which says where else a missing source is */
async function select(selection: CopySelection): Promise<readonly CopyItem[]> {
  try {
    return selectCopy(selection);
  } catch (error) {
    if (!isTsbuildError(error) || error.code !== 'COPY_SOURCE' || error.hint !== undefined)
      throw error;
    for (const source of selection.sources) {
      if (source.type === 'word') error.hint ??= await hintElsewhere(source.tree, source.word);
    }
    throw error;
  }
}

async function sourcesOf(
  context: StepContext<CopyOp>,
  environment: TransferEnvironment,
): Promise<readonly CopySource[]> {
  const { op } = context.step;
  checkChecksum(op);
  const words: CopySource[] = [];
  for (const word of op.sources) {
    words.push(
      isUrl(op, word)
        ? await environment.sources.fetchSource(word, { op, signal: context.signal })
        : await localSource(context, environment, word),
    );
  }
  return [...words, ...op.inline.map((file) => inlineSource(file, environment.createdTime))];
}

function checkChecksum(op: CopyOp): void {
  if (op.checksum === undefined) return;
  const [word, ...more] = op.sources;
  if (word !== undefined && more.length === 0 && isUrl(op, word)) return;
  throw new TsbuildError(
    'DOCKERFILE_PARSE',
    'ADD --checksum needs one source, and that an HTTP(S) or git URL',
  );
}

async function localSource(
  { step: { op }, inputs }: StepContext<CopyOp>,
  environment: TransferEnvironment,
  word: string,
): Promise<CopySource> {
  const unpack = op.instruction === 'ADD' && op.unpack !== false;
  switch (op.from.type) {
    case 'nothing':
      return { type: 'word', tree: EMPTY_TREE, word, unpack };
    case 'input':
      return { type: 'word', tree: inputs[op.from.input]!.tree, word, unpack };
    case 'context': {
      const tree = await environment.contextTree(op.from.name);
      return {
        type: 'word',
        tree,
        word,
        unpack,
        contextWords: environment.contextWords(op.from.name),
      };
    }
  }
}

function inlineSource(
  { name, content }: { name: string; content: string },
  mtime: bigint,
): CopySource {
  const bytes = Buffer.from(content);
  const node: FileNode = {
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: bytes.length,
    mtime,
    content: { bytes },
  };
  return { type: 'file', name, node, unpack: false };
}

/** What ADD fetches; COPY has no such words. */
function isUrl(op: CopyOp, word: string): boolean {
  return (
    op.instruction === 'ADD' && (/^https?:\/\//.test(word) || parseGitReference(word) !== undefined)
  );
}
