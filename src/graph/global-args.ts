/** ARGs before the first FROM: what words of FROM see, and what an ARG without default takes in a stage. */
import type { Dockerfile } from '../dockerfile/parse.ts';
import type { Stages } from '../dockerfile/stages.ts';
import { expandWord } from '../dockerfile/words.ts';
import type { Platform } from '../oci/platform.ts';
import { located, type PlanOptions } from './lowering.ts';
import { platformArgs } from './platform-args.ts';

/** The automatic platform arguments, then each global ARG: given, else its default as far as it is known. */
export function globalArguments(
  dockerfile: Dockerfile,
  globalArgs: Stages['globalArgs'],
  options: PlanOptions,
  { targetPlatform, targetStage }: { targetPlatform: Platform; targetStage: string },
): ReadonlyMap<string, string> {
  const { buildPlatform, buildArgs } = options;
  const given = (name: string) => (Object.hasOwn(buildArgs, name) ? buildArgs[name] : undefined);
  const values = new Map<string, string>();
  for (const [name, automatic] of Object.entries(
    platformArgs(targetPlatform, buildPlatform, targetStage),
  )) {
    values.set(name, given(name) ?? automatic);
  }
  for (const { args, location } of globalArgs) {
    for (const { name, value: standard } of args) {
      const value =
        given(name) ??
        (standard === undefined
          ? undefined
          : located(location, () =>
              expandWord(standard, Object.fromEntries(values), { escape: dockerfile.escape }),
            ));
      if (value !== undefined) values.set(name, value);
    }
  }
  return values;
}
