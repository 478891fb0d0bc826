import { describe, expect, it } from 'vitest';
import { parseDockerfile } from '../../src/dockerfile/parse.ts';
import {
  checkStageReferences,
  findBaseStage,
  findCopyStage,
  findNamedStage,
  findTarget,
  splitStages,
  stageReferences,
} from '../../src/dockerfile/stages.ts';

function stagesOf(text: string) {
  return splitStages(parseDockerfile(text));
}

const { stages, globalArgs } = stagesOf(`ARG A=1
ARG B
FROM scratch AS One
RUN a
FROM scratch
FROM scratch AS two
COPY --from=0 x /
COPY --from=One --chown=1 x /
RUN --mount=from=ONE,target=/x --mount=from=0,target=/y --mount=target=/z a
FROM scratch AS one
`);

it('divides a Dockerfile at its FROMs', () => {
  expect(globalArgs.flatMap(({ args }) => args)).toEqual([
    { name: 'A', value: '1' },
    { name: 'B' },
  ]);
  expect(stages.map(({ index, name, instructions }) => [index, name, instructions.length])).toEqual(
    [
      [0, 'one', 1],
      [1, undefined, 0],
      [2, 'two', 3],
      [3, 'one', 0],
    ],
  );
});

describe('a stage is found', () => {
  it('by FROM among those before, letter for letter', () => {
    expect(findBaseStage(stages, 'one', 3)?.index).toBe(0);
    expect(findBaseStage(stages, 'one', 4)?.index).toBe(3);
    expect(findBaseStage(stages, 'One', 4)).toBeUndefined();
    expect(findBaseStage(stages, '0', 4)).toBeUndefined();
    expect(findBaseStage(stages, 'one', 0)).toBeUndefined();
  });

  it('by COPY --from, by name in any case or by number', () => {
    const found = ['0', '+1', '02', 'ONE', 'two', 'three', 'stage-1'].map(
      (from) => findCopyStage(stages, from)?.index,
    );
    expect(found).toEqual([0, 1, 2, 3, 2, undefined, undefined]);
    expect(() => findCopyStage(stages, '4')).toThrow('invalid stage index 4');
    expect(() => findCopyStage(stages, '-1')).toThrow('invalid stage index -1');
  });

  it('by a mount, by name alone', () => {
    expect(findNamedStage(stages, 'TWO')?.index).toBe(2);
    expect(findNamedStage(stages, '2')).toBeUndefined();
    const referred = stageReferences(stages, stages[2]!);
    expect(
      referred.map(({ stage, instruction }) => [stage.index, instruction.location.line]),
    ).toEqual([
      [0, 7],
      [3, 8],
      [3, 9],
    ]);
  });

  it('as target, the last by default', () => {
    expect(findTarget(stages, undefined).index).toBe(3);
    expect(findTarget(stages, '').index).toBe(3);
    expect(findTarget(stages, 'TWO').index).toBe(2);
    expect(() => findTarget(stages, '0')).toThrow('target stage "0" could not be found');
    expect(() => findTarget(stages, 'tow')).toThrow(
      expect.objectContaining({ hint: 'did you mean two?' }),
    );
  });
});

describe('checkStageReferences', () => {
  it('lets a stage refer to a later one, which is an error only where it is built', () => {
    const later = 'FROM scratch AS a\nCOPY --from=b x /\nFROM a AS b\n';
    expect(() => checkStageReferences(stagesOf(later).stages)).not.toThrow();
  });

  it('refuses circles of any length, through copies and mounts', () => {
    const circle =
      'FROM x AS a\nCOPY --from=1 x /\nFROM x\nRUN --mount=from=c,target=/x y\nFROM x AS c\nCOPY --from=A x /\n';
    expect(() => checkStageReferences(stagesOf(circle).stages)).toThrow(
      expect.objectContaining({
        code: 'DOCKERFILE_REFERENCE',
        message: 'circular dependency detected on stage: a',
        location: expect.objectContaining({ line: 2 }),
      }),
    );
  });

  it('refuses a variable, which is not expanded there, in a stage that nothing needs', () => {
    const unneeded = 'FROM x\nCOPY --from=$a x /\nFROM x\n';
    expect(() => checkStageReferences(stagesOf(unneeded).stages)).toThrow(
      expect.objectContaining({
        message: 'variable expansion is not supported for --from',
        location: expect.objectContaining({ line: 2 }),
      }),
    );
  });

  it('walks many stages that share much, once', () => {
    const many = Array.from({ length: 300 }, (_, index) => {
      const copies = Array.from(
        { length: Math.min(index, 10) },
        (_unused, back) => `COPY --from=${index - 1 - back} x /`,
      );
      return ['FROM scratch', ...copies].join('\n');
    });
    const { stages: all } = stagesOf(many.join('\n'));
    expect(() => checkStageReferences(all)).not.toThrow();
  });
});
