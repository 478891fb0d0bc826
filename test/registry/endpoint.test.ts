import { expect, test } from 'vitest';
import { candidates, isLoopback } from '../../src/registry/endpoint.ts';
import { testClient, testRegistry } from '../helpers/registry-client.ts';

test.each([
  ['ghcr.io', ['https://ghcr.io/']],
  ['docker.io', ['https://registry-1.docker.io/']],
  ['localhost:5000', ['http://localhost:5000/', 'https://localhost:5000/']],
  ['127.3.2.1', ['http://127.3.2.1/', 'https://127.3.2.1/']],
  ['[::1]:5000', ['http://[::1]:5000/', 'https://[::1]:5000/']],
  ['old.example:5000', ['https://old.example:5000/', 'http://old.example:5000/']],
  ['localhost.example.com', ['https://localhost.example.com/']],
])('%s is looked for at %j', (registry, expected) => {
  expect(candidates(registry, { insecure: ['old.example:5000'] }).map(String)).toEqual(expected);
});

test('names that only look like loopback are not', () => {
  expect(
    ['127.0.0.1.nip.io', 'localhost.evil', '128.0.0.1', '1127.0.0.1'].filter(isLoopback),
  ).toEqual([]);
});

test('a registry on this machine is asked over plain http, once for what it wants', async () => {
  const registry = await testRegistry();
  const repository = testClient().repository({ registry: registry.host, repository: 'a' });
  await repository.resolve('1');
  await repository.resolve('2');
  expect(registry.log()).toEqual(['GET /v2/', 'HEAD /v2/a/manifests/1', 'HEAD /v2/a/manifests/2']);
});

test('a host that does not answer is an error that names it', async () => {
  const registry = await testRegistry();
  await registry[Symbol.asyncDispose]();
  const repository = testClient().repository({ registry: registry.host, repository: 'a' });
  const error = await repository.resolve('1').catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    code: 'NETWORK',
    host: registry.host,
    message: `GET http://${registry.host}/v2/: connection refused`,
  });
});
