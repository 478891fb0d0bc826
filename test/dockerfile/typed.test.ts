import { describe, expect, it } from 'vitest';
import type { Instruction } from '../../src/dockerfile/instruction.ts';
import { parseDockerfile, parseOnbuildTrigger } from '../../src/dockerfile/parse.ts';
import { INSTRUCTION_NAMES } from '../../src/dockerfile/typed.ts';

function only(line: string): Instruction {
  return parseDockerfile(line, { file: 'f' }).instructions[0]!;
}

const seconds = 1e9;

describe('an instruction as typed data', () => {
  it.each([
    [
      'FROM --platform=$P a@sha256:0 aS Name',
      { kind: 'from', base: 'a@sha256:0', platform: '$P', stageName: 'name' },
    ],
    ['FROM --platform= a', { kind: 'from', base: 'a' }],
    [
      'ARG A B= C="x y"',
      {
        kind: 'arg',
        args: [{ name: 'A' }, { name: 'B', value: '' }, { name: 'C', value: '"x y"' }],
      },
    ],
    [
      'ENV A=1 B=$A',
      {
        kind: 'env',
        pairs: [
          { key: 'A', value: '1', separator: '=' },
          { key: 'B', value: '$A', separator: '=' },
        ],
      },
    ],
    ['ARG --x A', { kind: 'arg', args: [{ name: 'A' }] }],
    ['STOPSIGNAL --x 9', { kind: 'stopsignal', signal: '9' }],
    ['LABEL a b c', { kind: 'label', pairs: [{ key: 'a', value: 'b c', separator: '' }] }],
    [
      'RUN make  it',
      {
        kind: 'run',
        command: { form: 'shell', line: 'make  it' },
        mounts: [],
        network: 'default',
        security: 'sandbox',
        devices: [],
      },
    ],
    [
      'RUN --mount=type=ssh --mount=target=$x --network=none --security=insecure --device=a ["a"]',
      {
        kind: 'run',
        command: { form: 'exec', args: ['a'] },
        mounts: ['type=ssh', 'target=$x'],
        network: 'none',
        security: 'insecure',
        devices: ['a'],
      },
    ],
    ['RUN', { kind: 'run', command: { form: 'shell', line: '' } }],
    [
      'COPY --from=0 --chown=a:b --chmod=$m --link --parents=false --exclude=*.o --exclude=x a b /c/',
      {
        kind: 'copy',
        from: '0',
        chown: 'a:b',
        chmod: '$m',
        link: true,
        parents: false,
        exclude: ['*.o', 'x'],
        sources: ['a', 'b'],
        destination: '/c/',
      },
    ],
    [
      'ADD --checksum=sha256:1 --keep-git-dir --unpack=FALSE a /c',
      {
        kind: 'add',
        checksum: 'sha256:1',
        keepGitDir: true,
        unpack: false,
        link: false,
        exclude: [],
        sources: ['a'],
        destination: '/c',
      },
    ],
    ['CMD', { kind: 'cmd', command: { form: 'shell', line: '' } }],
    ['CMD []', { kind: 'cmd', command: { form: 'exec', args: [] } }],
    ['ENTRYPOINT ["a", "b"]', { kind: 'entrypoint', command: { form: 'exec', args: ['a', 'b'] } }],
    ['SHELL ["a"]', { kind: 'shell', args: ['a'] }],
    ['WORKDIR /a b', { kind: 'workdir', path: '/a b' }],
    ['USER u:g', { kind: 'user', user: 'u:g' }],
    ['EXPOSE 80 $p/udp', { kind: 'expose', ports: ['80', '$p/udp'] }],
    ['VOLUME [" /a ", "/b c"]', { kind: 'volume', paths: ['/a', '/b c'] }],
    ['STOPSIGNAL SIGTERM', { kind: 'stopsignal', signal: 'SIGTERM' }],
    ['MAINTAINER me', { kind: 'maintainer', author: 'me' }],
    ['HEALTHCHECK --interval=x none', { kind: 'healthcheck', interval: 0, retries: 0 }],
    [
      'HEALTHCHECK --interval=1h1m1.5s --timeout=500ms --start-period=0 --start-interval=+2s --retries=3 cmd a b',
      {
        kind: 'healthcheck',
        command: { form: 'shell', line: 'a b' },
        interval: 3661.5 * seconds,
        timeout: 0.5 * seconds,
        startPeriod: 0,
        startInterval: 2 * seconds,
        retries: 3,
      },
    ],
    ['onbuild  run  a  b ', { kind: 'onbuild', trigger: 'run  a  b ' }],
    ['ONBUILD Nonsense', { kind: 'onbuild', trigger: 'Nonsense' }],
  ])('%s', (line, fields) => {
    expect(only(line)).toMatchObject(fields);
  });

  it('has its place, its line as written and the comments above', () => {
    const { instructions, lines } = parseDockerfile(
      '# a comment\n# x is it\n\nrun a \\\n # no\n b\n',
      { file: 'f' },
    );
    expect(instructions[0]).toMatchObject({
      name: 'run',
      original: 'run a  b',
      comments: ['a comment', 'x is it'],
      location: { file: 'f', line: 4, endLine: 6, lineText: 'run a \\' },
    });
    expect(lines).toHaveLength(6);
  });

  it('is one of eighteen', () => {
    expect(INSTRUCTION_NAMES).toHaveLength(18);
  });
});

describe('files that stand in the Dockerfile', () => {
  it('have their tabs stripped and remember whether they expand', () => {
    const copy = only('COPY <<-A x <<"B" /d/\n\t\t$a\n\tA\n\t$b\nB\n');
    expect(copy).toMatchObject({
      sources: ['x'],
      inlineFiles: [
        { name: 'A', content: '$a\n', expand: true },
        { name: 'B', content: '\t$b\n', expand: false },
      ],
    });
  });

  it('of one name are one file with the last content', () => {
    expect(only('COPY <<a <<a /d/\n1\na\n2\na\n')).toMatchObject({
      inlineFiles: [{ content: '2\n' }, { content: '2\n' }],
    });
  });

  it('named in the exec form are empty, as the engine has it', () => {
    expect(only('COPY ["<<a", "/d"]\n')).toMatchObject({
      inlineFiles: [{ name: 'a', content: '' }],
    });
  });

  it('whose quoted name holds a blank are words of a COPY', () => {
    expect(only('COPY <<"a b" /d\n1\na b\n')).toMatchObject({
      sources: ['<<"a', 'b"'],
      inlineFiles: [],
    });
  });
});

describe('an ONBUILD trigger', () => {
  it('survives the way through an image, with its here-documents', () => {
    const line = 'ONBUILD COPY <<-A <<"B" /d/\n\tone\n\tA\n$two\nB\n';
    const onbuild = only(line);
    const direct = only(line.replace('ONBUILD ', ''));
    if (onbuild.kind !== 'onbuild') throw new Error('not an ONBUILD');
    const place = { file: 'f', line: 7, lineText: 'FROM x' };
    const trigger = parseOnbuildTrigger(onbuild.trigger, place);
    expect(trigger).toMatchObject({ ...direct, location: place });
  });

  it.each([
    ['FROM x', "FROM isn't allowed"],
    ['maintainer x', "MAINTAINER isn't allowed"],
    ['ONBUILD RUN x', "ONBUILD isn't allowed"],
    ['NOPE', 'unknown instruction: NOPE'],
    ['RUN a\nRUN b', 'single instruction'],
    ['COPY a', 'requires at least two arguments'],
    ['', 'no instructions'],
    ['RUN <<EOF', 'unterminated heredoc'],
  ])('%j is refused, in the place of the FROM', (trigger, message) => {
    const location = { file: 'f', line: 7, lineText: 'FROM x' };
    expect(() => parseOnbuildTrigger(trigger, location)).toThrow(
      expect.objectContaining({
        code: 'DOCKERFILE_PARSE',
        message: expect.stringContaining(message),
        location: expect.objectContaining(location),
      }),
    );
  });
});
