/** What a target needs, as far as the file alone tells: its stages, without the triggers that base images may add. */
import { findBaseStage, type Stage, stageReferences } from '../dockerfile/stages.ts';
import { expandWord } from '../dockerfile/words.ts';

/**
 * The stages that `target` is built from or takes files from, itself included. Words of FROM that cannot be expanded are
 * taken as they are; planning reports them.
 */
export function reachableStages(
  stages: readonly Stage[],
  target: Stage,
  globalArgs: ReadonlyMap<string, string>,
  escapeCharacter: string,
): readonly Stage[] {
  const found = new Set<Stage>();
  const visit = (stage: Stage) => {
    if (found.has(stage)) return;
    found.add(stage);
    const base = findBaseStage(stages, expandBase(stage, globalArgs, escapeCharacter), stage.index);
    if (base !== undefined) visit(base);
    for (const reference of stageReferences(stages, stage)) visit(reference.stage);
  };
  visit(target);
  return [...found];
}

function expandBase(
  stage: Stage,
  globalArgs: ReadonlyMap<string, string>,
  escapeCharacter: string,
): string {
  try {
    return expandWord(stage.from.base, Object.fromEntries(globalArgs), { escape: escapeCharacter });
  } catch {
    return stage.from.base;
  }
}
