import { describe, expect, it } from 'vitest';
import { parseDockerfile } from '../../src/dockerfile/parse.ts';
import type { PlanOptions } from '../../src/graph/lowering.ts';
import { planBuild } from '../../src/graph/planner.ts';
import type { CopyOp, Plan, PlanImage, RunOp, Step } from '../../src/graph/step.ts';
import type { ImageConfig, RunConfig } from '../../src/oci/config.ts';

const platform = { os: 'linux', architecture: 'amd64' };
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

function imageConfig(config: RunConfig = {}): ImageConfig {
  return { os: 'linux', architecture: 'amd64', config, rootfs: { type: 'layers', diff_ids: [] } };
}

async function plan(text: string | Uint8Array, options: Partial<PlanOptions> = {}): Promise<Plan> {
  return planBuild(parseDockerfile(text, { file: 'Dockerfile' }), {
    buildArgs: {},
    labels: {},
    targetPlatforms: [platform],
    buildPlatform: platform,
    noCache: false,
    noCacheFilter: [],
    buildContexts: {},
    allow: [],
    resolveImage: async () => imageConfig(),
    ...options,
  });
}

const steps = (result: Plan) => [...result.steps.values()];
const runs = (result: Plan) =>
  steps(result).filter((step): step is Step<RunOp> => step.op.type === 'run');
const envOf = (step: Step<RunOp> | undefined) =>
  step?.op.env.filter((entry) => !entry.startsWith('PATH='));
const configOf = (result: Plan) => result.targets[0]!.config.config!;

describe('planning a stage', () => {
  it('chains the steps that make files and numbers them', async () => {
    const result = await plan('FROM busybox AS b\nENV A=1\nRUN make\nWORKDIR /w\nCOPY . .\n');
    expect(steps(result).map((step) => step.display)).toEqual([
      '[b 1/4] FROM busybox',
      '[b 2/4] RUN make',
      '[b 3/4] WORKDIR /w',
      '[b 4/4] COPY . .',
    ]);
    expect(steps(result).map((step) => step.parent)).toEqual([
      undefined,
      ...steps(result)
        .map((s) => s.id)
        .slice(0, 3),
    ]);
    expect(result.targets[0]!.result).toBe(steps(result).at(-1)!.id);
  });

  it('leaves stages that the target does not need unplanned, their images unasked', async () => {
    const asked: PlanImage[] = [];
    const result = await plan('FROM unneeded AS a\nRUN a\nFROM busybox AS b\nRUN b\n', {
      resolveImage: async (image) => {
        asked.push(image);
        return imageConfig();
      },
    });
    expect(new Set(asked.map((image) => image.reference))).toEqual(
      new Set(['docker.io/library/busybox:latest']),
    );
    expect(runs(result).map((step) => step.name)).toEqual(['RUN b']);
  });

  it('asks for all base images before it waits for one', async () => {
    const asked: string[] = [];
    let answer: (config: ImageConfig) => void = () => {};
    const answered = new Promise<ImageConfig>((resolve) => {
      answer = resolve;
    });
    const resolveImage = ({ reference }: PlanImage) => {
      asked.push(reference);
      if (new Set(asked).size === 2) answer(imageConfig());
      return answered;
    };
    await plan('FROM one AS a\nFROM two\nCOPY --from=a /x /y', { resolveImage });
    expect(new Set(asked).size).toBe(2);
  });

  it('takes over files and configuration of an earlier stage', async () => {
    const result = await plan('FROM busybox AS a\nENV A=1\nRUN one\nFROM a\nRUN two\n');
    expect(runs(result).map((step) => step.name)).toEqual(['RUN one', 'RUN two']);
    expect(runs(result)[1]!.parent).toBe(runs(result)[0]!.id);
    expect(configOf(result).Env).toEqual([PATH, 'A=1']);
  });

  it('builds the target alone', async () => {
    const result = await plan('FROM busybox AS a\nRUN one\nFROM a AS b\nRUN two\n', {
      target: 'a',
    });
    expect(runs(result).map((step) => step.name)).toEqual(['RUN one']);
  });

  it('runs the ONBUILD triggers of the base first, and drops them', async () => {
    const result = await plan('FROM busybox\nRUN own\n', {
      resolveImage: async () => imageConfig({ OnBuild: ['RUN trigger', 'ENV T=1'] }),
    });
    expect(runs(result).map((step) => step.name)).toEqual(['RUN trigger', 'RUN own']);
    expect(configOf(result).OnBuild).toBeUndefined();
  });

  it('marks steps of filtered stages as not to be taken from the cache', async () => {
    const result = await plan('FROM busybox AS a\nRUN one\nFROM a AS b\nRUN two\n', {
      noCacheFilter: ['B'],
    });
    expect(runs(result).map((step) => step.noCache)).toEqual([false, true]);
  });
});

describe('several platforms', () => {
  const arm = { os: 'linux', architecture: 'arm64' };
  const text = [
    'FROM --platform=$BUILDPLATFORM busybox AS build',
    'ARG TARGETARCH',
    'RUN make $TARGETARCH',
    'FROM busybox',
    'COPY --from=build /a /b',
  ].join('\n');

  it('have a target each, on images of their own', async () => {
    const result = await plan(text, { targetPlatforms: [platform, arm] });
    expect(result.targets.map((target) => target.config.architecture)).toEqual(['amd64', 'arm64']);
    expect(result.images.map((image) => image.platform.architecture)).toEqual(['amd64', 'arm64']);
    expect(runs(result).map((step) => step.display)).toEqual([
      '[linux/amd64 build 2/2] RUN make $TARGETARCH',
      '[linux/amd64->linux/arm64 build 2/2] RUN make $TARGETARCH',
    ]);
  });

  it('share the steps that are the same for all', async () => {
    const shared = text.replace('ARG TARGETARCH\n', 'RUN before\nARG TARGETARCH\n');
    const result = await plan(shared, { targetPlatforms: [platform, arm] });
    expect(runs(result).map((step) => step.display)).toEqual([
      '[linux/amd64 build 2/3] RUN before',
      '[linux/amd64 build 3/3] RUN make $TARGETARCH',
      '[linux/amd64->linux/arm64 build 3/3] RUN make $TARGETARCH',
    ]);
  });

  it('give stages the values of the platform that is built for', async () => {
    const result = await plan(text, { targetPlatforms: [platform, arm] });
    expect(runs(result).map(envOf)).toEqual([['TARGETARCH=amd64'], ['TARGETARCH=arm64']]);
    expect(runs(result).map((step) => step.platform.architecture)).toEqual(['amd64', 'amd64']);
  });
});

describe('variables', () => {
  it.each<[string, string, Record<string, string>, string[]]>([
    ['ENV is seen by RUN', 'ENV A=1 B=2\nRUN x', {}, ['A=1', 'B=2']],
    [
      'ENV words see the environment before their instruction',
      'ENV A=1\nENV A=2 B=$A\nRUN x',
      {},
      ['A=2', 'B=1'],
    ],
    ['an ARG without value is not set', 'ARG A\nRUN x', {}, []],
    ['a default is used', 'ARG A=1\nRUN x', {}, ['A=1']],
    ['a build argument wins over the default', 'ARG A=1\nRUN x', { A: '2' }, ['A=2']],
    ['a build argument that is not declared is not seen', 'RUN x', { A: '2' }, []],
    ['the later of ENV and ARG wins', 'ENV A=1\nARG A=2\nRUN x', {}, ['A=2']],
    [
      'a platform argument is seen once declared',
      'ARG TARGETARCH\nRUN x',
      {},
      ['TARGETARCH=amd64'],
    ],
    ['defaults see earlier variables', 'ARG A=1\nARG B=${A}2\nRUN x', {}, ['A=1', 'B=12']],
  ])('%s', async (_, body, buildArgs, expected) => {
    expect(envOf(runs(await plan(`FROM busybox\n${body}\n`, { buildArgs }))[0])).toEqual(expected);
  });

  it('of the global scope reach FROM, and a stage that declares them', async () => {
    const result = await plan('ARG V=1.0\nFROM busybox:$V\nRUN a\nARG V\nRUN b\n', {
      buildArgs: { V: '2.0' },
    });
    expect(result.images[0]!.reference).toBe('docker.io/library/busybox:2.0');
    expect(runs(result).map(envOf)).toEqual([[], ['V=2.0']]);
  });

  it('of a stage reach the stages built on it, ARGs included, but ENV wins there', async () => {
    const result = await plan(
      'FROM busybox AS a\nARG A=1\nENV B=1\nARG B=2\nRUN a\nFROM a\nRUN b\n',
    );
    expect(runs(result).map(envOf)).toEqual(
      [
        ['B=2', 'A=1'],
        ['A=1', 'B=1'],
      ].map((entries) => expect.arrayContaining(entries)),
    );
  });

  it('for proxies reach RUN without being declared, outside of its environment', async () => {
    const [step] = runs(
      await plan('FROM busybox\nRUN x', {
        buildArgs: { https_proxy: 'http://p', FTP_PROXY: '', ftp_proxy: '' },
      }),
    );
    expect(step!.op.proxyEnv).toEqual(['HTTPS_PROXY=http://p', 'https_proxy=http://p']);
    expect(envOf(step)).toEqual([]);
  });

  it.each<[string, string | undefined, string]>([
    ['FROM busybox', undefined, 'default'],
    ['FROM busybox AS Last', undefined, 'last'],
    ['FROM busybox AS last', 'LAST', 'LAST'],
  ])('hold the name of the target in TARGETSTAGE: %s, asked for %s', async (from, target, name) => {
    const result = await plan(`${from}\nARG TARGETSTAGE\nRUN a`, target ? { target } : {});
    expect(runs(result).map(envOf)).toEqual([[`TARGETSTAGE=${name}`]]);
  });

  it('give RUN another host name as BUILDKIT_SANDBOX_HOSTNAME, which is no variable of it', async () => {
    const buildArgs = { BUILDKIT_SANDBOX_HOSTNAME: 'builder' };
    const [step] = runs(await plan('FROM busybox\nRUN a', { buildArgs }));
    expect(step!.op.hostname).toBe('builder');
    expect(envOf(step)).toEqual([]);
  });
});

describe('configuration', () => {
  it.each<[string, string, RunConfig]>([
    ['a shell CMD gets the shell', 'CMD echo $A', { Cmd: ['/bin/sh', '-c', 'echo $A'] }],
    [
      'SHELL changes it',
      'SHELL ["bash","-c"]\nCMD a',
      { Cmd: ['bash', '-c', 'a'], Shell: ['bash', '-c'] },
    ],
    [
      'EXPOSE knows ranges and protocols',
      'EXPOSE 80 90-91/UDP',
      { ExposedPorts: { '80/tcp': {}, '90/udp': {}, '91/udp': {} } },
    ],
    [
      'VOLUME takes both forms',
      'VOLUME /a\nVOLUME ["/b c"]',
      { Volumes: { '/a': {}, '/b c': {} } },
    ],
    [
      'WORKDIR is relative to the one before',
      'WORKDIR /a\nWORKDIR ../b/./c',
      { WorkingDir: '/b/c' },
    ],
    [
      'WORKDIR that is absolute stays as written, and what is relative to it does not',
      'WORKDIR /a//b/\nWORKDIR c/\nWORKDIR /d//../e/',
      { WorkingDir: '/d//../e/' },
    ],
    [
      'WORKDIR relative to one that is not clean',
      'WORKDIR /a//b/\nWORKDIR c/',
      { WorkingDir: '/a/b/c' },
    ],
    ['LABEL expands', 'ENV V=1\nLABEL v=$V', { Labels: { v: '1' } }],
    ['HEALTHCHECK NONE', 'HEALTHCHECK NONE', { Healthcheck: { Test: ['NONE'] } }],
    ['STOPSIGNAL', 'STOPSIGNAL SIGQUIT', { StopSignal: 'SIGQUIT' }],
    ['ONBUILD is kept as written', 'ONBUILD RUN  a', { OnBuild: ['RUN  a'] }],
  ])('%s', async (_, body, expected) => {
    expect(configOf(await plan(`FROM busybox\n${body}\n`))).toMatchObject(expected);
  });

  it('of an ENTRYPOINT drops a CMD that came with the base, but not one of this stage', async () => {
    const resolveImage = async () => imageConfig({ Cmd: ['base'] });
    expect(
      configOf(await plan('FROM busybox\nENTRYPOINT ["e"]', { resolveImage })).Cmd,
    ).toBeUndefined();
    expect(
      configOf(await plan('FROM busybox\nCMD ["c"]\nENTRYPOINT ["e"]', { resolveImage })).Cmd,
    ).toEqual(['c']);
  });

  it('of --label wins over LABEL', async () => {
    const result = await plan('FROM busybox\nLABEL a=1 b=1', { labels: { a: '2' } });
    expect(configOf(result).Labels).toEqual({ a: '2', b: '1' });
  });
});

describe('the history', () => {
  const historyOf = (result: Plan) =>
    result.targets[0]!.history.map(({ entry }) => entry.created_by);

  it('shows before RUN the ARGs in scope, of stages below too, as ENV has left them', async () => {
    const result = await plan(
      'FROM busybox AS a\nARG A=1 B=2\nENV B=3\nARG C\nFROM a\nARG D=4\nARG A=5\nRUN x',
    );
    expect(historyOf(result).at(-1)).toBe('RUN |4 A=5 B=3 C= D=4 /bin/sh -c x # tsbuild');
  });

  it.each([
    ['COPY --chmod=600 --chown=$U:6 --from=scratch a /d', 'COPY --chown=5:6 --chmod=600 a /d'],
    ['ADD --chown= a <<b /d/\nb', 'ADD a <<b /d/'],
  ])('shows who owns the files of %j', async (line, text) => {
    const result = await plan(`FROM busybox\nARG U=5\n${line}`);
    expect(historyOf(result).at(-1)).toBe(`${text} # tsbuild`);
  });

  it('shows words of CMD as Go quotes them', async () => {
    const words = ['a"b', '\x07\x0b\x01', '\n\t', '\\u0007', 'é'];
    const result = await plan(`FROM busybox\nCMD ${JSON.stringify(words)}`);
    expect(historyOf(result)).toEqual([String.raw`CMD ["a\"b" "\a\v\x01" "\n\t" "\\u0007" "é"]`]);
  });

  it('shows the ports of EXPOSE in the order of its words', async () => {
    const result = await plan('FROM busybox\nARG P=65534\nEXPOSE 80 8/udp 65535 $P-65535/udp 80');
    expect(historyOf(result).at(-1)).toBe(
      'EXPOSE [65534/udp 65535/udp 65535/tcp 8/udp 80/tcp 80/tcp]',
    );
  });

  it('has nothing for ONBUILD', async () => {
    expect(historyOf(await plan('FROM busybox\nONBUILD RUN a'))).toEqual([]);
  });
});

describe('stages that nothing needs', () => {
  it.each([
    ['FROM BAD_NAME', 'must be in lower case'],
    ['FROM ${A:?no}', 'A: no'],
    ['FROM $A', 'base name (FROM) should not be blank'],
    ['FROM busybox AS a..b', 'invalid image reference'],
    ['FROM --platform=a/b/c/d busybox', 'not a platform'],
    ['FROM --platform=local busybox', 'only --platform may be local'],
  ])('are refused for %s', async (from, message) => {
    await expect(plan(`${from}\nFROM busybox`)).rejects.toMatchObject({
      message: expect.stringContaining(message),
      location: { line: 1 },
    });
  });
});

it('gives a stage from scratch the platform of the target, whatever its FROM says', async () => {
  const result = await plan('FROM --platform=linux/s390x scratch\nLABEL a=b');
  expect(result.targets[0]!.config.architecture).toBe('amd64');
});

it('gives a stage the platform of the stage that it is built on, whatever its FROM says', async () => {
  const text = 'FROM --platform=linux/arm64 busybox AS a\nFROM --platform=linux/s390x a\nRUN x';
  const result = await plan(text);
  expect(runs(result)[0]!.platform).toEqual({ os: 'linux', architecture: 'arm64' });
});

it.each([
  ['COPY <<../x/ /d/\na\n../x/', 'x'],
  ['COPY <<./a.txt /d/\na\n./a.txt', 'a.txt'],
])('takes the name of the file in %j to be %s', async (line, name) => {
  const copy = steps(await plan(`FROM scratch\n${line}`)).at(-1) as Step<CopyOp>;
  expect(copy.op.inline.map((file) => file.name)).toEqual([name]);
});

it.each(['RUN a\0b', 'ENV A=b\0c\nRUN a', 'RUN ["a\\u0000"]', 'WORKDIR /a\0b\nRUN a'])(
  'refuses to run what a NUL would cut: %j',
  async (text) => {
    await expect(plan(`FROM busybox\n${text}`)).rejects.toThrow('holds a NUL character');
  },
);

it.each(['..', 'a/b', '/'])('refuses a here-document of the name %s', async (name) => {
  await expect(plan(`FROM scratch\nCOPY <<${name} /d/\na\n${name}`)).rejects.toMatchObject({
    code: 'DOCKERFILE_PARSE',
    location: { line: 2 },
  });
});

describe('origins of files', () => {
  const copy = (result: Plan) =>
    steps(result).findLast((step): step is Step<CopyOp> => step.op.type === 'copy')!;

  it.each([['build'], ['0'], ['BUILD']])('--from=%s is the stage', async (name) => {
    const result = await plan(
      `FROM busybox AS build\nRUN make\nFROM scratch\nCOPY --from=${name} /a /b`,
    );
    expect(copy(result).inputs).toEqual([runs(result)[0]!.id]);
  });

  it('--from=IMAGE is an image that no stage starts from', async () => {
    const result = await plan('FROM scratch\nCOPY --from=alpine:3 /a /b');
    expect(result.images.map((image) => image.reference)).toEqual(['docker.io/library/alpine:3']);
    expect(result.steps.get(copy(result).inputs[0]!)!.op.type).toBe('image');
  });

  it('a named context wins over a stage and an image', async () => {
    const result = await plan('FROM busybox AS src\nFROM scratch\nCOPY --from=src /a /b', {
      buildContexts: { src: '/dir' },
    });
    expect(copy(result).op.from).toEqual({ type: 'context', name: 'src' });
    expect(result.images).toEqual([]);
  });

  it.each([
    ['docker-image://other:1', 'docker.io/library/other:1'],
    ['oci-layout://../dir:1', 'oci-layout://../dir:1'],
  ])('a named context may be the image %s', async (value, reference) => {
    const result = await plan('FROM a AS b\nFROM scratch\nCOPY --from=a /a /b\nCOPY --from=b / /', {
      buildContexts: { a: value },
    });
    expect(result.images.map((image) => image.reference)).toEqual([reference]);
  });

  it('an image of a layout is not named by a Dockerfile', async () => {
    for (const text of ['FROM oci-layout:///a', 'FROM scratch\nCOPY --from=oci-layout:///a /b /c'])
      await expect(plan(text)).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('a stage without files gives nothing', async () => {
    const result = await plan('FROM scratch AS a\nFROM scratch\nCOPY --from=a / /b');
    expect(copy(result).op.from).toEqual({ type: 'nothing' });
  });
});

describe('bad input', () => {
  it.each([
    [
      'a stage that waits for itself',
      'FROM busybox AS a\nCOPY --from=a /x /y',
      'DOCKERFILE_REFERENCE',
      2,
    ],
    [
      'stages that wait for each other',
      'FROM busybox AS a\nCOPY --from=b /x /y\nFROM busybox AS b\nCOPY --from=a /x /y',
      'DOCKERFILE_REFERENCE',
      2,
    ],
    [
      'a stage that comes later',
      'FROM busybox AS a\nCOPY --from=b /x /y\nFROM a AS c\nFROM busybox AS b\nCOPY --from=c /x /y',
      'DOCKERFILE_REFERENCE',
      2,
    ],
    ['a number without a stage', 'FROM busybox\nCOPY --from=7 /x /y', 'DOCKERFILE_REFERENCE', 2],
    ['a port that is none', 'FROM busybox\nEXPOSE http', 'DOCKERFILE_PARSE', 2],
    ['a signal that is none', 'FROM busybox\nSTOPSIGNAL SIGNOPE', 'DOCKERFILE_PARSE', 2],
    [
      'an entitlement that was not given',
      'FROM busybox\nRUN --network=host x',
      'DOCKERFILE_PARSE',
      2,
    ],
    ['a failed check of a variable', 'FROM busybox\nENV A=${B:?is missing}', 'DOCKERFILE_PARSE', 2],
    ['a blank base', 'ARG B\nFROM $B', 'DOCKERFILE_PARSE', 2],
    ['a reference that is none', 'FROM Not/Valid@', 'USAGE', 1],
  ])('%s is an error with its place', async (_, text, code, line) => {
    await expect(plan(text)).rejects.toMatchObject({ code, location: { line } });
  });

  describe('bytes that are not UTF-8', () => {
    const bytes = (text: string) => Buffer.from(text, 'latin1');

    it.each([
      ['a command', 'FROM busybox\nRUN a \\\n "b\xff"\n', 3],
      ['an exec form', 'FROM busybox\nRUN ["a", "b\xff"]\n', 2],
      ['a here-document for the shell', 'FROM busybox\nRUN <<E\n\na\xff\nE\n', 4],
      ['a flag', 'FROM busybox\nRUN --mount=type=tmpfs,target=/\xff a\n', 2],
    ])('are refused in %s of RUN, with the line', async (_, text, line) => {
      await expect(plan(bytes(text))).rejects.toMatchObject({
        code: 'DOCKERFILE_PARSE',
        message: `RUN holds bytes that are not UTF-8, in line ${line}`,
        location: { line: 2 },
      });
    });

    it.each([
      ['a comment in a RUN', 'FROM busybox\nRUN a \\\n# \xff\n b\n'],
      ['a script with its own interpreter', 'FROM busybox\nRUN <<E\n#!/bin/sh\na\xff\nE\n'],
      ['a stage that is not needed', 'FROM busybox\nRUN \xff\nFROM busybox\n'],
      ['what becomes configuration', 'FROM busybox\nENV A=\xff\nCMD \xff\nRUN a\n'],
    ])('may stand in %s', async (_, text) => {
      expect((await plan(bytes(text))).targets).toHaveLength(1);
    });

    it('are not confused with the character that stands for them', async () => {
      expect(runs(await plan('FROM busybox\nENV A=b\nRUN echo \ufffd'))).toHaveLength(1);
      expect(runs(await plan(Buffer.from('FROM busybox\nRUN echo \ufffd')))).toHaveLength(1);
    });
  });

  it('finds a circle that a trigger of a base image closes', async () => {
    const text = 'FROM one AS a\nCOPY --from=b /x /y\nFROM two AS b\n';
    const resolveImage = async ({ reference }: PlanImage) =>
      imageConfig(reference.includes('two') ? { OnBuild: ['COPY --from=a /x /y'] } : {});
    await expect(plan(text, { resolveImage, target: 'a' })).rejects.toMatchObject({
      code: 'DOCKERFILE_REFERENCE',
    });
  });

  it('names a stage that comes near to an unknown target', async () => {
    await expect(plan('FROM busybox AS build', { target: 'biuld' })).rejects.toMatchObject({
      code: 'DOCKERFILE_REFERENCE',
      hint: expect.stringContaining('build'),
    });
  });
});
