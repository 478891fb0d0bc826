import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestBuilder, type TestHome, testHome, USERS } from '../helpers/executor.ts';

describe.each(USERS)('an executor of %s', (user) => {
  let home: TestHome;
  let builder: TestBuilder;
  beforeAll(async () => {
    home = await testHome(user);
    builder = home.builder();
  });
  afterAll(() => home?.remove());

  it('runs a command and hands its output on, each stream as itself', async () => {
    const { exitCode, stdout, stderr, layer } = await builder.run('echo out; echo err >&2; cat');
    expect({ exitCode, stdout, stderr, layer }).toEqual({
      exitCode: 0,
      stdout: 'out\n',
      stderr: 'err\n',
      layer: undefined,
    });
  });

  it('passes the exit status on, and makes no layer when it is not 0', async () => {
    const { exitCode, layer } = await builder.run('touch /x; exit 42');
    expect({ exitCode, layer }).toEqual({ exitCode: 42, layer: undefined });
  });
  it('makes a layer', async () => {
    const { tree } = await builder.run('echo hi > /hi');
    expect(tree.list('')).toEqual(['hi']);
  });
});
