/** FROM by FROM: which image or stage each is based on, with the ARGs before the first. */
import { isTsbuildError, locate, TsbuildError } from '../../errors.ts';
import type { From } from '../instruction.ts';
import { findBaseStage, type Stage, type Stages, targetStageName } from '../stages.ts';
import { type Environment, type ExpandedWord, expandWordDetails, WordError } from '../words.ts';
import type { PlatformFacts } from './rule.ts';
import { report, type Walk } from './walk.ts';

export interface StageBase {
  readonly stage: Stage;
  /** Expanded. */
  readonly name: string;
  /** Expanded; what FROM says of itself. */
  readonly platform?: string;
  /** The stage that `name` means, if it is one. */
  readonly base?: Stage;
}

export interface Bases {
  /** By stage number. */
  readonly all: readonly StageBase[];
  readonly stages: readonly Stage[];
  readonly globals: Globals;
  readonly escape: string;
}

/** ARGs before the first FROM and automatic ones. */
export interface Globals {
  readonly values: Environment;
  /** Also those without a value. */
  readonly declared: ReadonlySet<string>;
}

type Head = Stages & { readonly escape: string };

export function walkBases(head: Head, walk: Walk): Bases {
  checkDefaults(head, walk);
  const globals = evaluateGlobals(head, walk, walk.options.buildArgs ?? {});
  const all = head.stages.map((stage): StageBase => {
    const { from, index } = stage;
    const name = baseName(head, globals, from, walk);
    const platform = from.platform && ownPlatform(head, globals, from, walk);
    const base = findBaseStage(head.stages, name, index);
    return { stage, name, ...(platform && { platform }), ...(base && { base }) };
  });
  return { all, stages: head.stages, globals, escape: head.escape };
}

/** What FROM would be for one who gives no build arguments. Errors are met again with them. */
function checkDefaults(head: Head, walk: Walk): void {
  const { isImageName } = walk.options;
  if (isImageName === undefined) return;
  try {
    const { values } = evaluateGlobals(head, walk, {});
    for (const { from } of head.stages) {
      const name = expand(head, values, from.base).result;
      const sight = { from, name, isImageName: isImageName(name) };
      for (const rule of walk.rules.checkDefaultBase) {
        rule.checkDefaultBase(sight, (detail) => report(walk, rule, detail, from.location));
      }
    }
  } catch (error) {
    if (!(error instanceof WordError) && !isTsbuildError(error)) throw error;
  }
}

function evaluateGlobals(head: Head, { options }: Walk, given: Environment): Globals {
  // Without a prototype, for the names are anyone's.
  const values: Record<string, string> = Object.assign(Object.create(null), options.platformArgs);
  if (values.TARGETSTAGE !== undefined)
    values.TARGETSTAGE = targetStageName(head.stages.at(-1)!, options.target);
  for (const name of Object.keys(values)) {
    if (Object.hasOwn(given, name)) values[name] = given[name]!;
  }
  const declared = new Set(Object.keys(values));
  for (const { args, location } of head.globalArgs) {
    for (const { name, value } of args) {
      declared.add(name);
      if (Object.hasOwn(given, name)) values[name] = given[name]!;
      else if (value !== undefined) {
        values[name] = located(location, () => expand(head, values, value).result);
      }
    }
  }
  return { values, declared };
}

function baseName(head: Head, globals: Globals, from: From, walk: Walk): string {
  const word = expandShown(head, globals, from, walk, from.base);
  show(walk, from, globals, word);
  if (word.result !== '') return word.result;
  throw refusal(from, `base name (${from.base}) should not be blank`);
}

function ownPlatform(head: Head, globals: Globals, from: From, walk: Walk): string {
  const raw = from.platform!;
  const word = expandShown(head, globals, from, walk, raw);
  const { parsed, error } = parsePlatform(word.result, walk);
  const target = globals.values.TARGETPLATFORM;
  show(walk, from, globals, word, { raw, target, ...(parsed && { parsed }) });
  if (word.result === '') throw refusal(from, `empty platform value from expression ${raw}`);
  if (error !== undefined) throw locate(error, { location: from.location });
  return word.result;
}

/** Expands a word of FROM; if that fails, the rules see what it referred to up to there. */
function expandShown(
  head: Head,
  globals: Globals,
  from: From,
  walk: Walk,
  word: string,
): ExpandedWord {
  return located(from.location, () => {
    try {
      return expand(head, globals.values, word);
    } catch (error) {
      if (error instanceof WordError) {
        show(walk, from, globals, { result: '', matched: new Set(), unmatched: error.unmatched });
      }
      throw error;
    }
  });
}

function parsePlatform(text: string, { options }: Walk) {
  try {
    return { parsed: options.parsePlatform?.(text), error: undefined };
  } catch (error) {
    return { parsed: undefined, error };
  }
}

function show(
  walk: Walk,
  from: From,
  { declared }: Globals,
  word: ExpandedWord,
  platform?: PlatformFacts,
): void {
  const sight = { from, word, declared, ...(platform && { platform }) };
  for (const rule of walk.rules.checkFromWord) {
    rule.checkFromWord(sight, (detail) => report(walk, rule, detail, from.location));
  }
}

function expand(head: Head, env: Environment, word: string): ExpandedWord {
  return expandWordDetails(word, env, { escape: head.escape });
}

function located<T>(location: From['location'], work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof WordError)) throw error;
    throw new TsbuildError('DOCKERFILE_PARSE', error.message, { location, cause: error });
  }
}

function refusal({ location }: From, message: string): TsbuildError {
  return new TsbuildError('DOCKERFILE_PARSE', message, { location });
}
