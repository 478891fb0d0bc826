import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createKeychain, type KeychainOptions } from '../../src/registry/credentials.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const auth = (text: string) => Buffer.from(text).toString('base64');
const joe = { username: 'joe', password: 'pa:ss' };
const entry = { auth: auth('joe:pa:ss') };

function keychain(config: unknown, options: Partial<KeychainOptions> = {}) {
  const file = join(tempDirectory(), 'config.json');
  writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
  return createKeychain({ files: [file], env: {}, ...options });
}

test.each([
  ['docker.io', { 'https://index.docker.io/v1/': entry }, joe],
  ['docker.io', { 'docker.io': entry }, joe],
  ['docker.io', { 'https://registry-1.docker.io': entry }, joe],
  ['ghcr.io', { 'ghcr.io': entry }, joe],
  ['ghcr.io', { 'https://ghcr.io': entry }, joe],
  ['ghcr.io', { 'https://ghcr.io/v2/': entry }, joe],
  ['r:5000', { 'http://r:5000/v1/': entry }, joe],
  [
    'r:5000',
    { r: entry, 'r:5001': entry, 'evil/r:5000': entry, 'https://r:5000.evil.com': entry },
    undefined,
  ],
  ['ghcr.io', { 'https://ghcr.io/me/app': entry }, undefined],
  ['ghcr.io', { 'ghcr.io': { username: 'joe', password: 'pa:ss' } }, joe],
  [
    'ghcr.io',
    { 'ghcr.io': { auth: auth('joe:'), identitytoken: 'long' } },
    { identityToken: 'long' },
  ],
  ['ghcr.io', { 'ghcr.io': { registrytoken: 'ready' } }, { registryToken: 'ready' }],
  ['ghcr.io', { 'ghcr.io': { auth: auth('joe:pa:ss\0\0') } }, joe],
  ['ghcr.io', { 'ghcr.io': {} }, undefined],
  ['ghcr.io', { 'ghcr.io': null }, undefined],
  ['ghcr.io', { 'ghcr.io': { auth: auth('nocolon') } }, undefined],
])('%s in %j', async (registry, auths, expected) => {
  expect(await keychain({ auths }).credentials(registry)).toEqual(expected);
});

test.each(['', '{}', '{"auths":null}'])('a file with %j has none', async (text) => {
  expect(await keychain(text).credentials('ghcr.io')).toBeUndefined();
});

test.each(['{"auths":{"r":{"auth":"c2VjcmV0', '{"auths":{"secret.example":{"auth":7}}}', '[]x'])(
  'a damaged file is an error that quotes nothing of it',
  async (text) => {
    const error = await keychain(text)
      .credentials('ghcr.io')
      .catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject({ code: 'USAGE', message: expect.stringContaining('config.json') });
    expect((error as Error).message).not.toMatch(/c2Vj|secret/);
    expect((error as Error).cause).toBeUndefined();
  },
);

test('the first file that knows a registry wins, and the environment comes before all', async () => {
  const directory = tempDirectory();
  const file = (name: string, user: string, registry: string) => {
    const path = join(directory, name);
    writeFileSync(path, JSON.stringify({ auths: { [registry]: { auth: auth(`${user}:x`) } } }));
    return path;
  };
  const files = [
    join(directory, 'missing.json'),
    file('a', 'first', 'a.io'),
    file('b', 'second', 'a.io'),
    file('c', 'third', 'c.io'),
  ];
  const inline = JSON.stringify({ auths: { 'ci.io': { auth: auth('ci:x') } } });
  const keys = createKeychain({ files, inline, env: {} });
  expect(await keys.credentials('a.io')).toMatchObject({ username: 'first' });
  expect(await keys.credentials('c.io')).toMatchObject({ username: 'third' });
  expect(await keys.credentials('ci.io')).toMatchObject({ username: 'ci' });
  expect(await keys.credentials('d.io')).toBeUndefined();
});

/** A helper program that notes what it was asked, and answers as the shell text says. */
function helper(name: string, body: string): { env: Record<string, string>; asked: () => string } {
  const bin = join(tempDirectory(), 'bin');
  mkdirSync(bin);
  const program = join(bin, `docker-credential-${name}`);
  writeFileSync(program, `#!/bin/sh\nread line\necho "$1 $line" >> ${bin}/asked\n${body}\n`);
  chmodSync(program, 0o755);
  return {
    env: { PATH: `${bin}:/usr/bin:/bin`, GREETING: 'hello' },
    asked: () => readFileSync(`${bin}/asked`, 'utf8'),
  };
}

test('a helper named for the registry is asked, with the environment that was handed in', async () => {
  const { env, asked } = helper(
    'special',
    `echo '{"ServerURL":"x","Username":"joe","Secret":"'$GREETING'"}'`,
  );
  const keys = keychain(
    { credHelpers: { 'ghcr.io': 'special' }, credsStore: 'other', auths: { 'ghcr.io': entry } },
    { env },
  );
  expect(await keys.credentials('ghcr.io')).toEqual({ username: 'joe', password: 'hello' });
  expect(asked()).toBe('get ghcr.io\n');
});

test.each([
  ['docker.io', 'index.docker.io'],
  ['docker.io', 'https://index.docker.io/v1/'],
  ['docker.io', 'docker.io'],
  ['ghcr.io', 'https://ghcr.io'],
])('the helper for %s may be named under %s', async (registry, key) => {
  const { env } = helper('special', `echo '{"Username":"joe","Secret":"pa:ss"}'`);
  const keys = keychain({ credHelpers: { [key]: 'special' } }, { env });
  expect(await keys.credentials(registry)).toEqual(joe);
  expect(await keys.credentials('other.io')).toBeUndefined();
});

test('a helper of no name keeps the one for all from a registry', async () => {
  const config = { credHelpers: { 'ghcr.io': '' }, credsStore: '/', auths: { 'ghcr.io': entry } };
  expect(await keychain(config).credentials('ghcr.io')).toEqual(joe);
});

test('the environment may name helpers, too', async () => {
  const { env } = helper('special', `echo '{"Username":"joe","Secret":"pa:ss"}'`);
  const inline = JSON.stringify({ credHelpers: { 'ghcr.io': 'special' } });
  expect(await keychain({}, { env, inline }).credentials('ghcr.io')).toEqual(joe);
});

test('the store for all registries knows Docker Hub by its old name, and may hold identity tokens', async () => {
  const { env, asked } = helper('all', `echo '{"Username":"<token>","Secret":"long"}'`);
  expect(await keychain({ credsStore: 'all' }, { env }).credentials('docker.io')).toEqual({
    identityToken: 'long',
  });
  expect(asked()).toBe('get https://index.docker.io/v1/\n');
});

test('what a helper does not have may be in the file', async () => {
  const { env } = helper('all', 'echo "credentials not found in native keychain"; exit 1');
  const keys = keychain({ credsStore: 'all', auths: { 'ghcr.io': entry } }, { env });
  expect(await keys.credentials('ghcr.io')).toEqual(joe);
  expect(await keys.credentials('other.io')).toBeUndefined();
});

test.each([
  ['fails', 'echo "secret-output"; exit 3', 'status 3'],
  ['answers nonsense', 'echo "secret-output"', 'not JSON'],
  ['answers half', `echo '{"Username":"secret-output"}'`, 'lacks'],
])('a helper that %s is an error that shows nothing of its output', async (_name, body, why) => {
  const { env } = helper('bad', body);
  const error = await keychain({ credsStore: 'bad' }, { env })
    .credentials('ghcr.io')
    .catch((reason: unknown) => reason as Error);
  expect(error).toMatchObject({ code: 'REGISTRY_AUTH', message: expect.stringContaining(why) });
  expect((error as Error).message).not.toContain('secret-output');
});

test('a store that this machine does not have is warned of and gone around; a helper named for the registry is missed', async () => {
  const warnings: string[] = [];
  const options = {
    env: { PATH: '/nonexistent' },
    onWarning: (message: string) => void warnings.push(message),
  };
  expect(
    await keychain({ credsStore: 'desktop', auths: { 'ghcr.io': entry } }, options).credentials(
      'ghcr.io',
    ),
  ).toEqual(joe);
  expect(warnings).toEqual([expect.stringContaining('docker-credential-desktop')]);
  await expect(
    keychain({ credHelpers: { 'ghcr.io': 'desktop' } }, options).credentials('ghcr.io'),
  ).rejects.toMatchObject({ code: 'REGISTRY_AUTH' });
});

test('a helper is a name, not a path', async () => {
  await expect(
    keychain({ credsStore: '/../../tmp/evil' }).credentials('ghcr.io'),
  ).rejects.toMatchObject({ code: 'USAGE' });
});
