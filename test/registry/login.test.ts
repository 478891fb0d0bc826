import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createKeychain } from '../../src/registry/credentials.ts';
import { login, logout } from '../../src/registry/login.ts';
import { fakeClock, testRegistry } from '../helpers/registry-client.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const client = { userAgent: 'test', clock: fakeClock() };
const joe = { username: 'joe', password: 'hunter22' };
const users = { joe: 'hunter22' };

test.each(['basic', 'token'] as const)(
  'what the registry accepts (%s) is stored for the owner alone',
  async (kind) => {
    const registry = await testRegistry({ auth: { kind, users } });
    const configFile = join(tempDirectory(), 'new', 'config.json');
    expect(
      await login({ registry: `http://${registry.host}/v2/`, ...joe, configFile, client, env: {} }),
    ).toEqual({ registry: registry.host });
    expect(statSync(configFile).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(configFile, 'utf8'))).toEqual({
      auths: { [registry.host]: { auth: Buffer.from('joe:hunter22').toString('base64') } },
    });
    expect(
      await createKeychain({ files: [configFile], env: {} }).credentials(registry.host),
    ).toEqual(joe);
  },
);

test('what the registry refuses is not stored', async () => {
  const registry = await testRegistry({ auth: { kind: 'token', users } });
  const configFile = join(tempDirectory(), 'config.json');
  const failing = login({
    registry: registry.host,
    username: 'joe',
    password: 'wrong-secret',
    configFile,
    client,
    env: {},
  });
  const error = await failing.catch((reason: unknown) => reason as Error);
  expect(error).toMatchObject({
    code: 'REGISTRY_AUTH',
    message: expect.stringContaining(registry.host),
  });
  expect((error as Error).message).not.toContain('wrong-secret');
  expect(() => statSync(configFile)).toThrow('ENOENT');
});

test('login and logout leave alone what others wrote, and a link to the file', async () => {
  const registry = await testRegistry({ auth: { kind: 'basic', users } });
  const directory = tempDirectory();
  const real = join(directory, 'real.json');
  const configFile = join(directory, 'config.json');
  const before = {
    detachKeys: 'ctrl-e',
    auths: {
      'other.io': { auth: 'eDp5', email: 'kept' },
      [`https://${registry.host}/v1/`]: { auth: 'b2xkOm9sZA==' },
    },
  };
  writeFileSync(real, JSON.stringify(before));
  symlinkSync('real.json', configFile);
  await login({ registry: registry.host, ...joe, configFile, client, env: {} });
  expect(lstatSync(configFile).isSymbolicLink()).toBe(true);
  expect(JSON.parse(readFileSync(real, 'utf8'))).toEqual({
    detachKeys: 'ctrl-e',
    auths: {
      'other.io': { auth: 'eDp5', email: 'kept' },
      [registry.host]: { auth: Buffer.from('joe:hunter22').toString('base64') },
    },
  });
  expect(await logout({ registry: registry.host, configFile, env: {} })).toBe(true);
  expect(await logout({ registry: registry.host, configFile, env: {} })).toBe(false);
  expect(JSON.parse(readFileSync(real, 'utf8'))).toEqual({
    detachKeys: 'ctrl-e',
    auths: { 'other.io': { auth: 'eDp5', email: 'kept' } },
  });
});

test('a file keeps its permissions, and a link to nothing yet stays one', async () => {
  const registry = await testRegistry({ auth: { kind: 'basic', users } });
  const directory = tempDirectory();
  const shared = join(directory, 'shared.json');
  writeFileSync(shared, '{}');
  chmodSync(shared, 0o640);
  await login({ registry: registry.host, ...joe, configFile: shared, client, env: {} });
  expect(statSync(shared).mode & 0o777).toBe(0o640);
  const link = join(directory, 'config.json');
  symlinkSync('elsewhere/real.json', link);
  await login({ registry: registry.host, ...joe, configFile: link, client, env: {} });
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(statSync(join(directory, 'elsewhere/real.json')).mode & 0o777).toBe(0o600);
});

test('a credential helper gets the password, and the file does not', async () => {
  const registry = await testRegistry({ auth: { kind: 'basic', users } });
  const bin = join(tempDirectory(), 'bin');
  mkdirSync(bin);
  writeFileSync(
    join(bin, 'docker-credential-box'),
    `#!/bin/sh\nread line; echo "$1 $line" >> ${bin}/asked\n`,
  );
  chmodSync(join(bin, 'docker-credential-box'), 0o755);
  const configFile = join(bin, 'config.json');
  writeFileSync(configFile, '{"credsStore":"box"}');
  const env = { PATH: `${bin}:/usr/bin:/bin` };
  expect(await login({ registry: registry.host, ...joe, configFile, client, env })).toEqual({
    registry: registry.host,
    helper: 'box',
  });
  expect(JSON.parse(readFileSync(configFile, 'utf8'))).toEqual({
    credsStore: 'box',
    auths: { [registry.host]: {} },
  });
  expect(await logout({ registry: registry.host, configFile, env })).toBe(true);
  expect(readFileSync(`${bin}/asked`, 'utf8')).toBe(
    `store {"ServerURL":"${registry.host}","Username":"joe","Secret":"hunter22"}\nerase ${registry.host}\n`,
  );
});

test.each(['', 'a b', 'ghcr.io/me/app'])('%j is not a registry', async (registry) => {
  await expect(
    login({ registry, ...joe, configFile: '/nonexistent', client, env: {} }),
  ).rejects.toMatchObject({ code: 'USAGE' });
});
