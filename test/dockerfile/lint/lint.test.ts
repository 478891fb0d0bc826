import { describe, expect, it } from 'vitest';
import { lintToJson } from '../../../src/dockerfile/lint/format-json.ts';
import { lint } from '../../../src/dockerfile/lint/lint.ts';
import type { LintOptions } from '../../../src/dockerfile/lint/walk.ts';
import { TsbuildError } from '../../../src/errors.ts';

const LEGACY = 'FROM scratch\nlabel x y\n';

async function outline(dockerfile: string, options: LintOptions = {}): Promise<string[]> {
  const { warnings, error } = await lint(dockerfile, options);
  const rules = warnings.map(({ ruleName, location }) => `${ruleName} ${location.line}`);
  return error ? [...rules, `${error.code}: ${error.message}`] : rules;
}

describe('the check directive', () => {
  it.each([
    ['skip=all', []],
    ['skip=LegacyKeyValueFormat', ['ConsistentInstructionCasing 3']],
    [
      'skip=legacykeyvalueformat,NoSuchRule',
      ['ConsistentInstructionCasing 3', 'LegacyKeyValueFormat 3'],
    ],
    // Of two lists the last counts.
    ['skip=LegacyKeyValueFormat;skip=ConsistentInstructionCasing', ['LegacyKeyValueFormat 3']],
    // The value ends at the first blank.
    ['skip=ConsistentInstructionCasing, LegacyKeyValueFormat', ['LegacyKeyValueFormat 3']],
    [
      'error=true;skip=ConsistentInstructionCasing',
      [
        'LegacyKeyValueFormat 3',
        'CHECK_FAILED: lint violation found for rules: LegacyKeyValueFormat',
      ],
    ],
    ['error=true;skip=all', []],
    ['skip', ['DOCKERFILE_PARSE: failed to parse check options: invalid check option "skip"']],
    ['foo=bar', ['DOCKERFILE_PARSE: failed to parse check options: invalid check option "foo"']],
    ['skip=all;', ['DOCKERFILE_PARSE: failed to parse check options: invalid check option ""']],
    [
      'error=maybe',
      ['DOCKERFILE_PARSE: failed to parse check options: invalid check option "error=maybe"'],
    ],
  ])('%s', async (value, expected) => {
    expect((await outline(`# check=${value}\n${LEGACY}`)).sort()).toEqual(expected.sort());
  });

  it('may stand behind a first line with #!, but not behind any other comment', async () => {
    expect(await outline(`#!/usr/bin/x\n# check=skip=all\n${LEGACY}`)).toEqual([]);
    expect(await outline(`# x=y\n# check=skip=all\n${LEGACY}`)).toHaveLength(2);
  });

  it('gives way to the build argument as a whole', async () => {
    const buildArgs = { BUILDKIT_DOCKERFILE_CHECK: 'skip=LegacyKeyValueFormat' };
    const source = `# check=skip=ConsistentInstructionCasing\n${LEGACY}`;
    expect(await outline(source, { buildArgs })).toEqual(['ConsistentInstructionCasing 3']);
  });
});

describe('an error', () => {
  it('in the text hides everything', async () => {
    expect(await outline('FROM scratch AS X\nENV a\n')).toEqual([
      'DOCKERFILE_PARSE: ENV must have two arguments',
    ]);
  });

  it('in an instruction hides what is found in the stages', async () => {
    expect(await outline('FROM scratch AS X\nLABEL a $b\nNOPE\n')).toEqual([
      'StageNameCasing 1',
      'DOCKERFILE_PARSE: unknown instruction: NOPE (did you mean COPY?)',
    ]);
  });

  it('in a stage that a build does not need is not its concern', async () => {
    const source =
      'FROM scratch AS a\nEXPOSE $b\nCOPY --from=b $c /\nFROM scratch AS b\nWORKDIR d\n';
    const { warnings, error } = await lint(source, { neededOnly: true });
    expect(warnings.map(({ ruleName }) => ruleName)).toEqual(['WorkdirRelativePath']);
    expect(error).toBeUndefined();
    expect((await lint(source)).error?.message).toBe('cannot copy from stage "b"');
  });

  it('about an image says which stage may be meant', async () => {
    const source = 'FROM scratch AS build\nFROM scratch\nCOPY --from=biuld a /\n';
    const { error } = await lint(source, {
      resolveImage: async () => {
        throw new TsbuildError('NETWORK', 'no such host');
      },
    });
    expect(error).toMatchObject({ hint: 'did you mean build?', location: { line: 3 } });
  });

  it('in a stage hides what comes later', async () => {
    const source = 'FROM scratch\nLABEL a=$b\nUSER ${\nLABEL a=$c\n';
    const [first, error] = await outline(source);
    expect(first).toBe('UndefinedVar 2');
    expect(error).toContain("missing '}'");
  });

  it.each([
    ['FROM scratch AS a\nCOPY --from=b x /\nFROM scratch AS b\n', 'cannot copy from stage "b"'],
    [
      'FROM scratch AS a\nRUN --mount=from=b,target=/x y\nFROM scratch AS b\n',
      'cannot mount from stage "b"',
    ],
    ['FROM scratch\nCOPY --from=$x a b\n', 'variable expansion is not supported for --from'],
    ['FROM scratch\nVOLUME $x\n', 'VOLUME specified can not be an empty string'],
    ['FROM scratch\nRUN --mount=type=tmpfs,target=$x y\n', 'invalid mount target "/"'],
    [
      'FROM scratch\nRUN --mount=type=bnd,target=/x y\n',
      'unsupported mount type "bnd" (did you mean bind?)',
    ],
    ['FROM $x\n', 'base name ($x) should not be blank'],
    ['FROM --platform=$x scratch\n', 'empty platform value from expression $x'],
    ['ARG x=${\nFROM scratch\n', "missing '}'"],
    ['FROM scratch AS a\nONBUILD NOPE\nFROM a\n', 'unknown instruction: NOPE'],
  ])('%j', async (source, message) => {
    const { error } = await lint(source);
    expect(error?.message).toContain(message);
    expect(error?.location?.line).toBeGreaterThan(0);
  });

  it('of the build is that of the check, and gets the place of the instruction', async () => {
    const missing = new TsbuildError('IMAGE_NOT_FOUND', 'no such image');
    const resolveImage = () => Promise.reject(missing);
    const { warnings, error } = await lint('FROM scratch\nLABEL a=$b\nCOPY --from=img a /\n', {
      resolveImage,
    });
    expect(warnings).toEqual([]);
    expect(error).toBe(missing);
    expect(error?.location?.line).toBe(3);
  });

  it('is none for an image that FROM asks for on a platform of its own', async () => {
    const asked: unknown[] = [];
    const resolveImage = async (...question: unknown[]) => {
      asked.push(question);
      return {};
    };
    await lint('ARG P=linux/arm64\nFROM --platform=$P a\nFROM a\nCOPY --from=b . .\n', {
      resolveImage,
    });
    expect(asked).toEqual([
      ['a', 'linux/arm64'],
      ['a', undefined],
      ['b', undefined],
    ]);
  });

  it('is none for a FROM with the name of the target', async () => {
    const source = 'FROM scratch AS for-it\nFROM for-$TARGETSTAGE AS it\n';
    const resolveImage = () => Promise.reject(new TsbuildError('IMAGE_NOT_FOUND', 'no image'));
    const platformArgs = { TARGETSTAGE: 'default' };
    expect((await lint(source, { resolveImage, platformArgs })).error).toBeUndefined();
  });

  it('that is none of a build is thrown', async () => {
    const judge = () => {
      throw new RangeError('a bug');
    };
    await expect(lint('FROM scratch\nUSER x\n', { judge })).rejects.toThrow(RangeError);
  });
});

it('prints a range for each line, as docker does', async () => {
  const result = await lint('FROM scratch\nMAINTAINER \\\n  me\nNOPE\n');
  expect(lintToJson(result)).toEqual({
    warnings: [
      {
        ruleName: 'MaintainerDeprecated',
        description:
          'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
        url: 'https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/',
        detail: 'Maintainer instruction is deprecated in favor of using label',
        location: { ranges: [2, 3].map((line) => ({ start: { line }, end: { line } })) },
      },
    ],
    buildError: {
      message: 'unknown instruction: NOPE (did you mean COPY?)',
      location: { ranges: [{ start: { line: 4 }, end: { line: 4 } }] },
    },
  });
});
