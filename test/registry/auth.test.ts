import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { createAuthenticator } from '../../src/registry/auth.ts';
import { listen } from '../helpers/registry.ts';
import {
  blob,
  fakeClock,
  noise,
  repositoryAt,
  testClient,
  testRegistry,
} from '../helpers/registry-client.ts';
import { repositoryOf } from '../helpers/registry-endpoints.ts';
import { status } from '../helpers/registry-faults.ts';

const joe = { username: 'joe', password: 'hunter22' };
const users = { joe: 'hunter22' };
const layer = blob(noise(1000));
const push = (bytes: Buffer) => async () => Readable.from([bytes]);

test('basic credentials are sent once the registry has asked for them', async () => {
  const registry = await testRegistry({ auth: { kind: 'basic', users } });
  const repository = repositoryAt(registry, { credentials: joe });
  expect(await repository.push(layer, push(layer.bytes))).toBe('pushed');
  const [first, ...others] = registry.requests;
  expect(first?.headers.authorization).toBeUndefined();
  expect(others.every(({ headers }) => headers.authorization?.startsWith('Basic '))).toBe(true);
});

test.each(['basic', 'token'] as const)(
  'wrong credentials (%s) fail at once, without being repeated in the message',
  async (kind) => {
    const registry = await testRegistry({ auth: { kind, users } });
    const clock = fakeClock();
    const repository = repositoryAt(registry, {
      credentials: { username: 'joe', password: 'wrong-secret' },
      clock,
    });
    const error = await repository.resolve('1').catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject({
      code: 'REGISTRY_AUTH',
      status: 401,
      hint: expect.stringContaining(`tsbuild login ${registry.host}`),
    });
    expect(`${(error as Error).message} ${JSON.stringify(error)}`).not.toMatch(
      /wrong-secret|d3Jvbmct|am9l/,
    );
    expect(clock.waits).toEqual([]);
  },
);

test('a token is asked for once for each scope, also by calls that come together', async () => {
  const registry = await testRegistry({ auth: { kind: 'token', users } });
  const repository = repositoryAt(registry, { credentials: joe });
  await Promise.all([repository.resolve('1'), repository.resolve('2'), repository.resolve('3')]);
  await repository.push(layer, push(layer.bytes));
  await repository.resolve('4');
  const asked = registry.requests.filter(({ path }) => path.startsWith('/token'));
  expect(asked.map(({ path }) => new URLSearchParams(path.split('?')[1]).getAll('scope'))).toEqual([
    ['repository:team/app:pull'],
    ['repository:team/app:pull,push'],
  ]);
});

test('an expired token is replaced before it is refused', async () => {
  const registry = await testRegistry({ auth: { kind: 'token', users, expiresIn: 100 } });
  const clock = fakeClock();
  const repository = repositoryAt(registry, { credentials: joe, clock });
  await repository.resolve('1');
  await clock.sleep(99_000);
  registry.clearLog();
  await repository.resolve('1');
  expect(registry.log()).toEqual(['GET /token', 'HEAD /v2/team/app/manifests/1']);
});

test('a token that is refused is replaced once', async () => {
  const tokens = new Map<string, readonly string[]>();
  const registry = await testRegistry({ auth: { kind: 'token', users, tokens } });
  const repository = repositoryAt(registry, { credentials: joe });
  await repository.resolve('1');
  tokens.clear();
  registry.clearLog();
  await repository.resolve('1');
  expect(registry.log()).toEqual([
    'HEAD /v2/team/app/manifests/1',
    'GET /token',
    'HEAD /v2/team/app/manifests/1',
  ]);
});

test('calls that come together with a token that is no longer valid all get the new one', async () => {
  const tokens = new Map<string, readonly string[]>();
  const registry = await testRegistry({ auth: { kind: 'token', users, tokens } });
  const repository = repositoryAt(registry, { credentials: joe });
  await repository.resolve('1');
  tokens.clear();
  const calls = ['1', '2', '3', '4', '5', '6', '7', '8'].map((tag) => repository.resolve(tag));
  expect(await Promise.all(calls)).toEqual(calls.map(() => undefined));
});

test('who aborts while a token is asked for does not spoil it for others', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const grant = (scopes: readonly string[]) => {
    controller.abort(reason);
    return scopes;
  };
  const registry = await testRegistry({ auth: { kind: 'token', users, grant } });
  const repository = repositoryAt(registry, { credentials: joe });
  const first = repository.resolve('1', { signal: controller.signal });
  const second = repository.resolve('1');
  await expect(first).rejects.toBe(reason);
  expect(await second).toBeUndefined();
});

test('a token server that grants less than was asked ends in an error, not in a loop', async () => {
  const registry = await testRegistry({
    auth: { kind: 'token', users, grant: () => ['repository:other:pull'] },
  });
  const repository = repositoryAt(registry, { credentials: joe });
  await expect(repository.push(layer, push(layer.bytes))).rejects.toMatchObject({
    code: 'REGISTRY_AUTH',
  });
  expect(registry.requests.length).toBeLessThan(8);
});

test('without credentials, what is public can be pulled and nothing pushed', async () => {
  const registry = await testRegistry({ auth: { kind: 'token', anonymousPull: true } });
  repositoryOf(registry.repositories, 'team/app').blobs.set(layer.digest, layer.bytes);
  const repository = repositoryAt(registry);
  expect(await repository.exists(layer)).toBe(true);
  const other = blob(noise(10, 2));
  await expect(repository.push(other, push(other.bytes))).rejects.toMatchObject({
    code: 'REGISTRY_AUTH',
  });
});

test('an identity token is exchanged by POST', async () => {
  const registry = await testRegistry({ auth: { kind: 'token', identityTokens: ['long-lived'] } });
  const repository = repositoryAt(registry, { credentials: { identityToken: 'long-lived' } });
  expect(await repository.resolve('1')).toBeUndefined();
  expect(registry.log(({ path }) => path.startsWith('/token'))).toEqual(['POST /token']);
});

test.each(['basic', 'token'] as const)(
  'credentials (%s) that have expired in the middle are looked for once more',
  async (kind) => {
    const passwords = { joe: 'first' };
    const tokens = new Map<string, readonly string[]>();
    const registry = await testRegistry({ auth: { kind, users: passwords, tokens } });
    let asked = 0;
    const keychain = {
      credentials: async () => {
        asked += 1;
        return { username: 'joe', password: passwords.joe };
      },
    };
    const repository = repositoryAt(registry, { keychain });
    expect(await repository.push(layer, push(layer.bytes))).toBe('pushed');
    expect(asked).toBe(1);
    passwords.joe = 'second';
    tokens.clear();
    const others = [2, 3, 4].map((seed) => blob(noise(1000, seed)));
    for (const other of others)
      expect(await repository.push(other, push(other.bytes))).toBe('pushed');
    expect(asked).toBe(2);
  },
);

test('an identity token does not follow a redirect to another host', async () => {
  const bodies: string[] = [];
  const elsewhere = await listen((request, response) => {
    request.on('data', (chunk) => bodies.push(String(chunk)));
    request.on('end', () => response.end('{"token":"x"}'));
  });
  onTestFinished(elsewhere.close);
  const registry = await testRegistry({ auth: { kind: 'token', identityTokens: ['long-lived'] } });
  const location = `http://${elsewhere.host}/token`;
  registry.faults.push(status(307, { path: '/token' }, { location }));
  const repository = repositoryAt(registry, { credentials: { identityToken: 'long-lived' } });
  await expect(repository.resolve('1')).rejects.toMatchObject({
    code: 'REGISTRY',
    message: expect.stringContaining(elsewhere.host),
  });
  expect(bodies).toEqual([]);
});

test.each([
  ['https://auth.example/token', 'https://registry.example/v2/', 'https://auth.example/token'],
  ['http://auth.example/token', 'http://registry.example/v2/', 'http://auth.example/token'],
  ['http://auth.example/token', 'https://registry.example/v2/', undefined],
  [
    'http://registry.example/token',
    'https://registry.example/v2/',
    'https://registry.example/token',
  ],
  ['http://localhost:5001/token', 'https://localhost:5000/v2/', 'http://localhost:5001/token'],
  ['https://joe:pw@auth.example/token', 'https://r.example/v2/', 'https://auth.example/token'],
])('a realm of %s, named by %s, is asked at %s', async (realm, from, expected) => {
  const asked: string[] = [];
  const authenticator = createAuthenticator({
    registry: 'registry.example',
    credentials: async () => joe,
    clock: fakeClock(),
    send: async ({ url }) => {
      asked.push(url.origin + url.pathname);
      const body = Readable.from([Buffer.from('{"token":"x"}')]);
      return { status: 200, url, headers: {}, body };
    },
  });
  await authenticator.refused([{ scheme: 'bearer', parameters: { realm } }], new URL(from));
  const authorization = authenticator.authorization([]);
  if (expected === undefined)
    await expect(authorization).rejects.toMatchObject({ code: 'REGISTRY' });
  else expect(await authorization).toBe('Bearer x');
  expect(asked).toEqual(expected === undefined ? [] : [expected]);
});

test('a registry token is used as it is', async () => {
  const tokens = new Map([['ready-made', ['repository:team/app:pull,push']]]);
  const registry = await testRegistry({ auth: { kind: 'token', tokens } });
  const repository = repositoryAt(registry, { credentials: { registryToken: 'ready-made' } });
  expect(await repository.resolve('1')).toBeUndefined();
});

test('a token server that fails for a moment is asked again', async () => {
  const registry = await testRegistry({ auth: { kind: 'token', users } });
  registry.faults.push(status(503, { path: '/token' }));
  const repository = repositoryAt(registry, { credentials: joe });
  expect(await repository.resolve('1')).toBeUndefined();
});

test.each([
  ['not JSON', 'oops secret-token', 'JSON'],
  ['no token', '{"expires_in":3}', 'without a token'],
  ['a token with a line break', '{"token":"a\\r\\nx-evil: 1"}', 'without a token'],
])(
  'a token server that answers with %s is an error that does not quote it',
  async (_name, body, why) => {
    const registry = await testRegistry({ auth: { kind: 'token', users } });
    registry.faults.push(status(200, { path: '/token' }, {}, body));
    const error = await repositoryAt(registry, { credentials: joe })
      .resolve('1')
      .catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject({ code: 'REGISTRY', message: expect.stringContaining(why) });
    expect(String((error as Error).message)).not.toContain('secret-token');
  },
);

test.each(['ftp://x/token', 'token', ''])('a realm of %j is not asked', async (realm) => {
  const registry = await testRegistry({ auth: { kind: 'token', users, realm } });
  await expect(repositoryAt(registry, { credentials: joe }).resolve('1')).rejects.toMatchObject({
    code: 'REGISTRY',
  });
});

test('credentials of one registry are not offered to another', async () => {
  const first = await testRegistry({ auth: { kind: 'basic', users } });
  const second = await testRegistry({ auth: { kind: 'basic', users } });
  const asked: string[] = [];
  const client = testClient({
    keychain: {
      credentials: async (registry) => {
        asked.push(registry);
        return registry === first.host ? joe : undefined;
      },
    },
  });
  await client.repository({ registry: first.host, repository: 'a' }).resolve('1');
  await expect(
    client.repository({ registry: second.host, repository: 'a' }).resolve('1'),
  ).rejects.toMatchObject({ code: 'REGISTRY_AUTH' });
  expect(asked).toEqual([first.host, second.host]);
  expect(second.requests.filter(({ headers }) => headers.authorization)).toEqual([]);
});

test('a challenge of the host that a blob was redirected to gets no credentials', async () => {
  const storage = await listen((_request, response) => {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="give"' });
    response.end();
  });
  const registry = await testRegistry({ auth: { kind: 'basic', users } });
  registry.faults.push(status(401, {}, { 'www-authenticate': 'Basic realm="r"' }));
  registry.faults.push(
    status(307, { path: '/blobs/' }, { location: `http://${storage.host}/blob` }),
  );
  const error = await repositoryAt(registry, { credentials: joe })
    .fetch(layer)
    .catch((reason: unknown) => reason);
  await storage.close();
  expect(error).toMatchObject({ code: 'REGISTRY_AUTH', host: storage.host });
});
