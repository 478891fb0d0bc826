/** The images that stages start from or copy from. */
import { locate } from '../../errors.ts';
import type { Instruction } from '../instruction.ts';
import { mountFrom } from '../mount.ts';
import { findCopyStage, findNamedStage, hintStage, type Stage } from '../stages.ts';
import type { BaseConfig, Walk } from './walk.ts';
import type { Bases, StageBase } from './walk-bases.ts';

/** Asks for all of them first, as a build does: one that is missing hides what the instructions would show. */
export async function resolveImages(
  { stages }: Bases,
  needed: readonly StageBase[],
  { options }: Walk,
): Promise<(base: StageBase) => BaseConfig | undefined> {
  const images = new Map<string, BaseConfig>();
  const key = (name: string, platform = '') => `${platform} ${name}`;
  const ask = async (name: string, { location }: Instruction, platform?: string) => {
    if (name === 'scratch' || images.has(key(name, platform)) || !options.resolveImage) return;
    try {
      images.set(key(name, platform), await options.resolveImage(name, platform));
    } catch (error) {
      throw locate(hintStage(error, name, stages), { location });
    }
  };
  for (const { stage, base, name, platform } of needed) {
    if (base === undefined) await ask(name, stage.from, platform);
    for (const instruction of stage.instructions) {
      for (const image of referredImages(stages, instruction)) await ask(image, instruction);
    }
  }
  return ({ name, platform }) => images.get(key(name, platform));
}

function referredImages(stages: readonly Stage[], instruction: Instruction): string[] {
  if (instruction.kind === 'copy' && instruction.from) {
    return findCopyStage(stages, instruction.from) === undefined ? [instruction.from] : [];
  }
  if (instruction.kind !== 'run') return [];
  const names = instruction.mounts.flatMap((mount) => mountFrom(mount) ?? []);
  return names.filter((name) => findNamedStage(stages, name) === undefined);
}
