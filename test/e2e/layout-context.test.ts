import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cli, createCli } from '../helpers/cli.ts';

let cli: Cli;
/** A layout with an image of two tags, and the digests of both. */
let layout: string;
let digests: readonly string[];

beforeAll(async () => {
  cli = createCli();
  await cli.base();
  layout = join(cli.directory, 'layout');
  for (const version of ['1', '2']) {
    const context = cli.context({
      Dockerfile: `FROM busybox\nRUN echo ${version} > /version\nENV VERSION=${version}\n`,
    });
    const output = `type=oci,tar=false,dest=${layout}`;
    await cli.ok(['build', '-t', `made:${version}`, '-o', output, context]);
  }
  const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
  digests = manifests.map(({ digest }: { digest: string }) => digest);
  // What follows has to come from the layout.
  await cli.ok(['rmi', 'made:1', 'made:2']);
});
afterAll(() => cli[Symbol.asyncDispose]());

const FROM = 'FROM made\nRUN echo $VERSION from $(cat /version) > /told\n';

async function build(dockerfile: string, value: string, cwd = cli.directory): Promise<string> {
  const dest = join(cli.directory, `out-${Math.random().toString(36).slice(2)}`);
  mkdirSync(dest);
  const context = cli.context({ Dockerfile: dockerfile });
  const contexts = ['--build-context', `made=oci-layout://${value}`];
  await cli.ok(['build', ...contexts, '-o', `type=local,dest=${dest}`, context], { cwd });
  return readFileSync(join(dest, 'told'), 'utf8').trim();
}

describe('a context that is an OCI layout', () => {
  test('is chosen from by tag, by digest, or both, and found from the working directory', async () => {
    expect(await build(FROM, `${layout}:1`)).toBe('1 from 1');
    expect(await build(FROM, `${layout}@${digests[1]}`)).toBe('2 from 2');
    expect(await build(FROM, `layout:9@${digests[0]}`)).toBe('1 from 1');
    expect(await build(FROM, './layout:2')).toBe('2 from 2');
  });

  test.each([
    ['COPY --from', 'FROM busybox\nCOPY --from=made /version /told\n'],
    ['a mount', 'FROM busybox\nRUN --mount=from=made,target=/m cp /m/version /told\n'],
    ['the name of a stage', 'FROM scratch AS made\nFROM made\nRUN cp /version /told\n'],
  ])('serves %s', async (_, dockerfile) => {
    expect(await build(dockerfile, `${layout}:2`)).toBe('2');
  });

  test('gives the image no name in the store', async () => {
    await build(FROM, `${layout}:1`);
    expect(await cli.ok(['images', '--format', '{{.Repository}}'])).not.toMatch(/made|layout/);
  });

  test.each([
    ['no directory', 'nowhere', 'CONTEXT', /nowhere is no directory/],
    ['a directory that is no layout', '.', 'CONTEXT', /has no index.json that lists an image/],
    ['several images to choose from', 'layout', 'USAGE', /has several images: say which/],
    ['an unknown tag', 'layout:3', 'IMAGE_NOT_FOUND', /has no image 3/],
    ['an unknown digest', `layout@sha256:${'0'.repeat(64)}`, 'IMAGE_NOT_FOUND', /has no image sha/],
    ['half a digest', 'layout@sha256:12', 'USAGE', /names no image of an OCI layout/],
  ])('is refused for %s', async (_, value, code, message) => {
    const context = cli.context({ Dockerfile: FROM });
    const contexts = ['--build-context', `made=oci-layout://${value}`];
    const { status, stderr } = await cli.run(['build', ...contexts, context], {
      cwd: cli.directory,
    });
    expect(status).not.toBe(0);
    expect(stderr).toMatch(message);
    expect(stderr).toContain(code);
  });

  test('cannot be named by a Dockerfile, which would reach beyond its contexts', async () => {
    const context = cli.context({
      Dockerfile: `FROM scratch\nCOPY --from=oci-layout://${layout}:1 /version /\n`,
    });
    const { stderr } = await cli.run(['build', context]);
    expect(stderr).toMatch(/invalid image reference "oci-layout:/);
  });
});
