/** What the lowering of one stage has at hand: its state, the build's options, and the way to other stages. */

import { SyntaxFault } from '../dockerfile/syntax-error.ts';
import {
  expandHeredoc,
  expandWord,
  isPlainWord,
  splitWords,
  WordError,
} from '../dockerfile/words.ts';
import type { SourceLocation } from '../errors.ts';
import { TsbuildError } from '../errors.ts';
import type { ImageConfig } from '../oci/config.ts';
import type { Platform } from '../oci/platform.ts';
import type { StageState } from './stage-state.ts';
import type { FileSource, Op, PlanImage, StepId } from './step.ts';

export interface PlanOptions {
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly target?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** At least one. */
  readonly targetPlatforms: readonly Platform[];
  readonly buildPlatform: Platform;
  readonly noCache: boolean;
  readonly noCacheFilter: readonly string[];
  /** `--build-context` by name; values are raw: a directory, `docker-image://…`, `oci-layout://…`, a URL. */
  readonly buildContexts: Readonly<Record<string, string>>;
  /** Entitlements given with `--allow`. */
  readonly allow: readonly string[];
  /** What instructions say of the configuration of an image; asks the store or a registry. */
  readonly resolveImage: (image: PlanImage) => Promise<ImageConfig>;
}

/** Who asks for an origin. */
export type OriginKind = 'copy' | 'mount';

/** A place to copy or mount from, and the step that makes it, when one does. */
export interface Origin {
  readonly source: FileSource;
  readonly inputs: readonly StepId[];
}

export interface Lowering {
  readonly state: StageState;
  readonly escape: string;
  /** Lines of the Dockerfile with bytes that are no UTF-8. */
  readonly notUtf8: ReadonlySet<number>;
  readonly options: PlanOptions;
  /** ARGs before the first FROM, and the automatic ones: what an ARG without default takes. */
  readonly globalArgs: ReadonlyMap<string, string>;
  /** `NAME=value` of the proxies that the build was given. */
  readonly proxyEnv: readonly string[];
  /** Puts a step on top of the stage. */
  addStep(
    op: Op,
    step: { name: string; location: SourceLocation; inputs: readonly StepId[] },
  ): void;
  /** Finds what `--from=NAME` or `from=NAME` means. */
  origin(name: string, by: OriginKind, location: SourceLocation): Promise<Origin>;
}

/** The build context itself. */
export const MAIN_CONTEXT: Origin = { source: { type: 'context', name: '' }, inputs: [] };

/** Expands one word with what the stage knows. @throws TsbuildError `DOCKERFILE_PARSE` */
export function expand(lowering: Lowering, word: string, location: SourceLocation): string {
  if (isPlainWord(word)) return word;
  return located(location, () =>
    expandWord(word, variables(lowering), { escape: lowering.escape }),
  );
}

/** Expands and divides at white space. @throws TsbuildError `DOCKERFILE_PARSE` */
export function expandList(lowering: Lowering, word: string, location: SourceLocation): string[] {
  return located(location, () =>
    splitWords(word, variables(lowering), { escape: lowering.escape }),
  );
}

export function expandText(lowering: Lowering, text: string, location: SourceLocation): string {
  return located(location, () => expandHeredoc(text, variables(lowering)).result);
}

function variables({ state }: Lowering): Record<string, string> {
  return Object.fromEntries(state.env);
}

/** Gives faults of words and mounts their place in the Dockerfile. */
export function located<T>(location: SourceLocation, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof WordError || error instanceof SyntaxFault)) throw error;
    const hint =
      error instanceof SyntaxFault && error.hint !== undefined ? { hint: error.hint } : {};
    throw new TsbuildError('DOCKERFILE_PARSE', error.message, { cause: error, location, ...hint });
  }
}
