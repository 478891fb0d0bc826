import { describe, expect, it } from 'vitest';
import { lint } from '../../../src/dockerfile/lint/lint.ts';
import { RULES } from '../../../src/dockerfile/lint/rules.ts';
import type { LintOptions } from '../../../src/dockerfile/lint/walk.ts';
import { TsbuildError } from '../../../src/errors.ts';

// What `docker build --call=check,format=json` of Docker Engine 28.5 prints for the same text.
type Case = readonly [does: string, dockerfile: string, found: readonly string[], LintOptions?];

const build: LintOptions = {
  platformArgs: {
    TARGETPLATFORM: 'linux/amd64',
    TARGETARCH: 'amd64',
    BUILDPLATFORM: 'linux/amd64',
  },
  isImageName: (name) => /^[a-z][a-z0-9/.:-]*$/.test(name),
  parsePlatform: (text) => {
    const [os, architecture, ...more] = text.split('/');
    if (!os || !architecture || more.length > 0)
      throw new TsbuildError('PLATFORM', `not a platform: ${text}`);
    return { os, architecture };
  },
};

async function found(dockerfile: string, options: LintOptions = {}): Promise<string[]> {
  const { warnings, error } = await lint(dockerfile, { ...build, ...options });
  const lines = warnings.map(
    ({ ruleName, detail, location }) => `${ruleName} ${location.line}: ${detail}`,
  );
  return error ? [...lines, `error ${error.location?.line ?? ''}: ${error.message}`] : lines;
}

const secret = (line: number, kind: string, name: string) =>
  `SecretsUsedInArgOrEnv ${line}: Do not use ARG or ENV instructions for sensitive data (${kind} "${name}")`;
const unset = (line: number, text: string) =>
  `UndefinedVar ${line}: Usage of undefined variable ${text}`;
const casing = (line: number, name: string, majority: string) =>
  `ConsistentInstructionCasing ${line}: Command '${name}' should match the case of the command majority (${majority})`;

const cases: Record<string, readonly Case[]> = {
  StageNameCasing: [
    [
      'wants lower case',
      'FROM scratch AS Foo',
      ["StageNameCasing 1: Stage name 'Foo' should be lowercase"],
    ],
    [
      'is told before the name is judged',
      'FROM scratch AS 1B',
      [
        "StageNameCasing 1: Stage name '1B' should be lowercase",
        'error 1: invalid name for build stage: "1B"',
      ],
    ],
  ],
  FromAsCasing: [
    [
      'compares with FROM',
      'FROM scratch as a\nFROM scratch AS b\nFROM scratch aS c',
      [
        "FromAsCasing 1: 'as' and 'FROM' keywords' casing do not match",
        "FromAsCasing 3: 'aS' and 'FROM' keywords' casing do not match",
      ],
    ],
    [
      'leaves a FROM in mixed case alone',
      'From scratch aS a\nFROM a',
      [casing(1, 'From', 'uppercase')],
    ],
  ],
  NoEmptyContinuation: [
    [
      'points at the last line of the instruction, once',
      'FROM scratch\nRUN a \\\n\n\n  b\nRUN c',
      ['NoEmptyContinuation 5: Empty continuation line'],
    ],
    ['lets comments inside be', 'FROM scratch\nRUN a \\\n  # c\n  b', []],
  ],
  ConsistentInstructionCasing: [
    [
      'follows the majority of what is all upper or all lower',
      'from scratch\nrun a\nRUN b\nRun c',
      [casing(3, 'RUN', 'lowercase'), casing(4, 'Run', 'lowercase')],
    ],
    ['prefers upper case when even', 'FROM scratch\nrun a', [casing(2, 'run', 'uppercase')]],
    [
      'looks neither at ARGs before FROM nor into ONBUILD',
      'arg a\nFROM scratch\nONBUILD run a',
      [],
    ],
  ],
  DuplicateStageName: [
    [
      'folds case',
      'FROM scratch AS a\nFROM scratch AS b\nFROM scratch AS a',
      ['DuplicateStageName 3: Duplicate stage name "a", stage names should be unique'],
    ],
  ],
  ReservedStageName: [
    [
      'knows scratch and context',
      'FROM scratch AS scratch\nFROM scratch AS context',
      ['scratch', 'context'].map(
        (name, index) =>
          `ReservedStageName ${index + 1}: Stage name should not use the same name as reserved stage "${name}"`,
      ),
    ],
  ],
  JSONArgsRecommended: [
    [
      'wants the exec form of CMD and ENTRYPOINT',
      'FROM scratch\nRUN a\nCMD ["a"]\nENTRYPOINT a\nHEALTHCHECK CMD a',
      [
        'JSONArgsRecommended 4: JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals',
      ],
    ],
    ['is content with a SHELL', 'FROM scratch AS a\nSHELL ["x"]\nCMD a\nFROM a\nCMD b', []],
    [
      'is content with the SHELL of an image',
      'FROM a\nCMD b',
      [],
      { resolveImage: async () => ({ Shell: ['x'] }) },
    ],
  ],
  MaintainerDeprecated: [
    [
      'tells',
      'FROM scratch\nMAINTAINER me',
      ['MaintainerDeprecated 2: Maintainer instruction is deprecated in favor of using label'],
    ],
  ],
  UndefinedArgInFrom: [
    [
      'wants a declaration, though not a value',
      'ARG tag\nARG image=scratch\nFROM $imag${tag}$image\nFROM --platform=$TARGETPLATFROM scratch',
      [
        "UndefinedArgInFrom 3: FROM argument 'imag' is not declared (did you mean image?)",
        "UndefinedArgInFrom 4: FROM argument 'TARGETPLATFROM' is not declared (did you mean TARGETPLATFORM?)",
        'error 4: empty platform value from expression $TARGETPLATFROM',
      ],
    ],
  ],
  InvalidDefaultArgInFrom: [
    [
      'ignores the build arguments given',
      'ARG image\nFROM $image\nFROM ${other:-scratch}',
      [
        'InvalidDefaultArgInFrom 2: Default value for ARG $image results in empty or invalid base image name',
        "UndefinedArgInFrom 3: FROM argument 'other' is not declared",
      ],
      { buildArgs: { image: 'scratch' } },
    ],
  ],
  RedundantTargetPlatform: [
    [
      'sees through quotes and braces',
      'FROM --platform="${TARGETPLATFORM}" scratch\nFROM --platform=linux/$TARGETARCH scratch',
      [
        'RedundantTargetPlatform 1: Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior',
      ],
    ],
  ],
  FromPlatformFlagConstDisallowed: [
    [
      'lets a stage be named for its platform',
      'FROM --platform=linux/arm64 scratch\nFROM --platform=linux/arm64 scratch AS on-arm64\nFROM --platform=$BUILDPLATFORM scratch',
      [
        'FromPlatformFlagConstDisallowed 1: FROM --platform flag should not use constant value "linux/arm64"',
      ],
    ],
  ],
  WorkdirRelativePath: [
    [
      'looks at the first WORKDIR only, after expansion',
      'FROM scratch\nENV d=x\nWORKDIR $d\nWORKDIR y\nFROM scratch AS b\nENV d=/x\nWORKDIR $d\nFROM b\nWORKDIR z',
      [
        'WorkdirRelativePath 3: Relative workdir "x" can have unexpected results if the base image changes',
      ],
    ],
    [
      'does not trust the WORKDIR of an image',
      'FROM a\nWORKDIR x',
      [
        'WorkdirRelativePath 2: Relative workdir "x" can have unexpected results if the base image changes',
      ],
      { resolveImage: async () => ({ WorkingDir: '/y' }) },
    ],
  ],
  UndefinedVar: [
    [
      'knows ARGs without value, ENV before the instruction, PATH, and what a stage inherits',
      'ARG g=1\nFROM scratch AS a\nARG x g\nENV e=1 f=$e\nLABEL l=$x$e$g$PATH\nFROM a\nLABEL l=$x$e$g m=$TARGETARCH',
      [unset(4, "'$e' (did you mean $g?)"), unset(7, "'$TARGETARCH'")],
    ],
    [
      'tells each word of each instruction that expands',
      [
        'FROM scratch',
        'LABEL $a=$b c=$d$d',
        'COPY --chown=$e --chmod=6$f --exclude=$no $g /$h',
        'ADD <<EOF /$i',
        "$j \\$no '$k'",
        'EOF',
        'USER $l',
        'VOLUME /$m',
        'RUN --mount=type=cache,target=/x$n $no',
        'CMD ["$no"]',
        'EXPOSE 8$no',
      ].join('\n'),
      [
        ...['a', 'b', 'd'].map((name) => unset(2, `'$${name}'`)),
        ...['e', 'f', 'h', 'g'].map((name) => unset(3, `'$${name}'`)),
        ...['i', 'j', 'k'].map((name) => unset(4, `'$${name}'`)),
        unset(7, "'$l'"),
        unset(8, "'$m'"),
        unset(9, "'$n'"),
      ],
    ],
    [
      'guesses, by case',
      'FROM scratch\nENV foo=1 fob=2\nLABEL x=$fooo y=$FOO z=${fo:-d}',
      [
        unset(3, "'$fooo' (did you mean $foo?)"),
        unset(3, "'$FOO'"),
        unset(3, "'$fo' (did you mean $foo?)"),
      ],
    ],
    [
      'tells also of a word that then fails',
      'FROM scratch\nENV x=${a?needed}',
      [unset(2, "'$a'"), 'error 2: failed to process "${a?needed}": a: needed'],
    ],
    [
      'runs the triggers of a stage, in the place of the FROM',
      'FROM scratch AS a\nONBUILD LABEL x=$y\nFROM a\nFROM scratch\n',
      [unset(3, "'$y'")],
    ],
    [
      'knows what an image brings',
      'FROM a\nLABEL x=$y z=$b',
      [unset(2, "'$b' (did you mean $y?)")],
      { resolveImage: async () => ({ Env: ['y=1', 'empty='] }) },
    ],
    [
      'looks only at what the target needs',
      'FROM scratch AS a\nLABEL x=$y\nFROM scratch AS b\n',
      [],
      { target: 'b' },
    ],
  ],
  MultipleInstructionsDisallowed: [
    [
      'points at the one without effect',
      'FROM scratch\nCMD ["a"]\nHEALTHCHECK NONE\nCMD ["b"]\nHEALTHCHECK CMD c\nFROM scratch\nCMD ["d"]',
      ['CMD', 'HEALTHCHECK'].map(
        (name, index) =>
          `MultipleInstructionsDisallowed ${index + 2}: Multiple ${name} instructions should not be used in the same stage because only the last one will be used`,
      ),
    ],
  ],
  LegacyKeyValueFormat: [
    [
      'speaks of the instruction as written',
      'from scratch\nenv a b\nlabel a=b',
      [
        'LegacyKeyValueFormat 2: "env key=value" should be used instead of legacy "env key value" format',
      ],
    ],
  ],
  SecretsUsedInArgOrEnv: [
    [
      'goes by whole words of the name, unless one is public',
      'ARG TOKEN\nFROM scratch\nARG TOKEN monkey\nENV MY_key=1 PUBLIC_KEY=2 authx=3 pword=4',
      [secret(3, 'ARG', 'TOKEN'), secret(4, 'ENV', 'MY_key'), secret(4, 'ENV', 'pword')],
    ],
  ],
  ExposeProtoCasing: [
    [
      'wants lower case',
      'FROM scratch\nEXPOSE 80/TCP 81/udp',
      ["ExposeProtoCasing 2: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase"],
    ],
  ],
  ExposeInvalidFormat: [
    [
      'wants a port alone, after expansion',
      'FROM scratch\nENV p="80:80 81"\nEXPOSE $p :82 127.0.0.1:83:83',
      ['80:80', '127.0.0.1:83:83'].map(
        (port) =>
          `ExposeInvalidFormat 3: EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`,
      ),
    ],
  ],
  CopyIgnoredFile: [
    ['is off', 'FROM scratch\nCOPY secret /', [], { isIgnored: () => true }],
    [
      'takes sources of the context as they stand',
      '# check=experimental=CopyIgnoredFile\nFROM scratch AS a\nENV s=secret\nCOPY $s ok /\nADD http://x.example/secret secret /\nFROM scratch\nCOPY --from=a secret /',
      [
        'CopyIgnoredFile 4: Attempting to Copy file "secret" that is excluded by .dockerignore',
        'CopyIgnoredFile 5: Attempting to Add file "secret" that is excluded by .dockerignore',
      ],
      { isIgnored: (path) => path.endsWith('secret') },
    ],
  ],
  InvalidDefinitionDescription: [
    ['is off', 'FROM scratch\n# no\nARG x', []],
    [
      'reads the last comment since the instruction before',
      '# check=experimental=all\n# a is it\nFROM scratch AS a\n# y\n\nARG x\n# x is it\nARG x\n# z\nARG x=1 y\n# \nARG x\n# no\nRUN x',
      [
        'InvalidDefinitionDescription 6: Comment for ARG should follow the format: `# x <description>`',
        'InvalidDefinitionDescription 10: Comment for ARG should follow the format: `# <arg_key> <description>`',
      ],
    ],
  ],
};

describe.each(Object.entries(cases))('%s', (_rule, table) => {
  it.each([...table])('%s', async (...row) => {
    const [, dockerfile, expected, options] = row as unknown as Case;
    expect((await found(dockerfile, options)).sort()).toEqual([...expected].sort());
  });
});

it('has a case for every rule, and a page for each', () => {
  expect(Object.keys(cases).sort()).toEqual(RULES.map(({ name }) => name).sort());
  for (const { name, page } of RULES) {
    expect(page.replaceAll('-', ''), name).toBe(name.toLowerCase());
  }
});
