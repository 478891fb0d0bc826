import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { BUILD_FLAGS, buildOptions } from '../../src/cli/build-options.ts';
import { parseFlags } from '../../src/cli/flags.ts';

const stdout = new PassThrough();

function options(args: string[], env: Record<string, string> = {}) {
  const { flags, args: rest } = parseFlags(args, BUILD_FLAGS);
  return buildOptions(flags, rest[0]!, { env, stdout });
}

describe('flags of build become options of the API', () => {
  test.each<[string[], object]>([
    [['-t', 'a', '-t', 'b:1', '.'], { tags: ['a', 'b:1'], context: '.' }],
    [['-f', '../Dockerfile', '.'], { dockerfile: '../Dockerfile' }],
    [['--build-arg', 'A=1', '--build-arg', 'HOME', '.'], { buildArgs: { A: '1', HOME: '/root' } }],
    [['--build-arg', 'UNSET', '.'], { buildArgs: {} }],
    [['--label', 'a', '--label', 'b=c=d', '.'], { labels: { a: '', b: 'c=d' } }],
    [['--platform', 'linux/amd64,linux/arm64', '.'], { platforms: ['linux/amd64', 'linux/arm64'] }],
    [['--no-cache-filter', 'a,b', '.'], { noCacheFilter: ['a', 'b'] }],
    [['--no-cache', '--pull', '.'], { noCache: true, pull: true }],
    [['--network', 'none', '.'], { network: 'none' }],
    [['--add-host', 'a:1.2.3.4', '.'], { addHosts: [['a', '1.2.3.4']] }],
    [['--shm-size', '64m', '.'], { shmSize: 64 * 1024 ** 2 }],
    [['--build-context', 'x=docker-image://y', '.'], { buildContexts: { x: 'docker-image://y' } }],
    [['--secret', 'id=a,src=/f', '.'], { secrets: { a: { file: '/f' } } }],
    [['--secret', 'id=a,env=V', '.'], { secrets: { a: { env: 'V' } } }],
    [['--secret', 'type=env,id=a,src=V', '.'], { secrets: { a: { env: 'V' } } }],
    [['--secret', 'id=HOME', '.'], { secrets: { HOME: { env: 'HOME' } } }],
    [['--secret', 'id=token.txt', '.'], { secrets: { 'token.txt': { file: 'token.txt' } } }],
    [['--ssh', 'default', '--ssh', 'k=/a,/b', '.'], { ssh: { default: [], k: ['/a', '/b'] } }],
    [['-o', 'out', '.'], { outputs: [{ type: 'local', dest: 'out' }] }],
    [['-o', '-', '.'], { outputs: [{ type: 'tar', dest: stdout }] }],
    [['-o', 'type=oci', '.'], { outputs: [{ type: 'oci', dest: stdout }] }],
    [['-o', 'type=oci,dest=-', '.'], { outputs: [{ type: 'oci', dest: stdout }] }],
    [['-o', 'type=docker', '.'], { outputs: [{ type: 'image' }] }],
    [
      ['-o', 'type=oci,dest=a.tar,tar=false', '-o', 'Type=tar,dest=b.tar', '.'],
      {
        outputs: [
          { type: 'oci', dest: 'a.tar', attributes: { tar: 'false' } },
          { type: 'tar', dest: 'b.tar' },
        ],
      },
    ],
    [['--push', '.'], { outputs: [{ type: 'registry' }] }],
    [
      ['--push', '-o', 'type=registry,name=x', '.'],
      { outputs: [{ type: 'registry', attributes: { name: 'x' } }] },
    ],
    [['--load', '.'], { outputs: [] }],
  ])('%j', (args, expected) => {
    expect(options(args, { HOME: '/root' })).toMatchObject(expected);
  });

  test('SOURCE_DATE_EPOCH comes from the environment', () => {
    expect(options(['.'], { SOURCE_DATE_EPOCH: '12' }).sourceDateEpoch).toBe(12);
    expect(options(['.'])).not.toHaveProperty('sourceDateEpoch');
    expect(() => options(['.'], { SOURCE_DATE_EPOCH: 'now' })).toThrow(/not a number of seconds/);
  });

  test('what was not said is absent, so that defaults are those of the API', () => {
    expect(Object.keys(options(['.']))).not.toContain('target');
  });
});

describe('wrong values are usage errors', () => {
  test.each<[string[], RegExp]>([
    [['-o', 'type=zip,dest=x', '.'], /unknown type "zip"/],
    [['-o', 'dest=x', '.'], /no type/],
    [['-o', 'type=local', '.'], /needs dest=DIRECTORY/],
    [['-o', 'type=local,dest=-', '.'], /needs dest=DIRECTORY/],
    [['-o', 'type=oci,x', '.'], /"x" is not KEY=VALUE/],
    [['-o', '-', '-o', 'type=oci', '.'], /only one result can go to stdout/],
    [['--secret', 'src=x', '.'], /no id/],
    [['--secret', 'id=x,foo=y', '.'], /unknown field "foo"/],
    [['--build-context', 'x', '.'], /is not NAME=SOURCE/],
    [['--network', 'bridge', '.'], /none of default, host, none/],
  ])('%j', (args, message) => {
    expect(() => options(args)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringMatching(message) }),
    );
  });

  test('an archive does not go to a terminal', () => {
    const { flags } = parseFlags(['-o', '-'], BUILD_FLAGS);
    const terminal = Object.assign(new PassThrough(), { isTTY: true });
    expect(() => buildOptions(flags, '.', { env: {}, stdout: terminal })).toThrow(/to a terminal/);
  });
});
