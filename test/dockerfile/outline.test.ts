import { describe, expect, it } from 'vitest';
import { outlineOf, targetsOf } from '../../src/dockerfile/outline.ts';
import { parseDockerfile } from '../../src/dockerfile/parse.ts';

const TEXT = `# V is the version
ARG V=1
ARG UNUSED
# base builds things
FROM busybox AS base
# A is a thing
ARG A=x
ARG V
ARG B
RUN --mount=type=secret,id=tok,required --mount=type=ssh echo
# unrelated words
FROM base AS final
ARG C=\${A}y
ARG TARGETARCH
RUN --mount=type=secret,id=tok true
FROM scratch
`;
const dockerfile = parseDockerfile(TEXT);
const options = { buildArgs: {}, platformArgs: { TARGETARCH: 'amd64' } };
const lines = (
  rows: readonly { name: string; location: { ranges: readonly { start: { line: number } }[] } }[],
) => rows.map((row) => `${row.name} ${row.location.ranges[0]!.start.line}`);

describe('targets', () => {
  it('are the stages, with what is said of them, the last one by default', () => {
    expect(targetsOf(dockerfile)).toMatchObject([
      { name: 'base', description: 'builds things', base: 'busybox' },
      { name: 'final', base: 'base' },
      { default: true, base: 'scratch' },
    ]);
    expect(targetsOf(dockerfile)[1]).not.toHaveProperty('description');
  });
});

describe('an outline', () => {
  it('lists the arguments of a stage and its base, global ones at their own place, and no automatic ones', () => {
    const { args } = outlineOf(dockerfile, { ...options, target: 'final' });
    expect(lines(args)).toEqual(['V 2', 'A 7', 'B 9', 'C 13']);
    expect(args.map((row) => row.value)).toEqual(['1', 'x', undefined, 'xy']);
    expect(args[0]!.description).toBe('is the version');
  });

  it('shows values that are given', () => {
    const { args } = outlineOf(dockerfile, {
      ...options,
      target: 'base',
      buildArgs: { A: 'given' },
    });
    expect(args.find((row) => row.name === 'A')!.value).toBe('given');
  });

  it('lists secrets and agents once, where they are first asked for', () => {
    const { secrets, ssh } = outlineOf(dockerfile, { ...options, target: 'final' });
    expect(lines(secrets)).toEqual(['tok 10']);
    expect(secrets[0]!.required).toBe(true);
    expect(lines(ssh)).toEqual(['default 10']);
  });

  it('of a stage that takes nothing is empty', () => {
    expect(outlineOf(dockerfile, options)).toEqual({ args: [], secrets: [], ssh: [] });
  });

  it('refuses a target that does not exist', () => {
    expect(() => outlineOf(dockerfile, { ...options, target: 'nope' })).toThrow(
      expect.objectContaining({ code: 'DOCKERFILE_REFERENCE' }),
    );
  });
});
