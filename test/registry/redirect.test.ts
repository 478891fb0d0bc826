import type { IncomingMessage } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { resolveLocation } from '../../src/registry/redirect.ts';
import { listen } from '../helpers/registry.ts';
import { blob, noise, readAll, repositoryAt, testRegistry } from '../helpers/registry-client.ts';
import { status } from '../helpers/registry-faults.ts';

const layer = blob(noise(5000));
const users = { joe: 'hunter22' };
const credentials = { username: 'joe', password: 'hunter22' };

async function storageHost(): Promise<{ host: string; seen: IncomingMessage['headers'][] }> {
  const seen: IncomingMessage['headers'][] = [];
  const server = await listen((request, response) => {
    seen.push(request.headers);
    response.end(layer.bytes);
  });
  onTestFinished(server.close);
  return { host: server.host, seen };
}

test.each([301, 302, 303, 307, 308])(
  'a blob is fetched where status %i points, without credentials',
  async (code) => {
    const storage = await storageHost();
    const registry = await testRegistry({ auth: { kind: 'basic', users } });
    const repository = repositoryAt(registry, { credentials });
    await repository.resolve('1');
    registry.faults.push(
      status(
        code,
        { path: '/blobs/' },
        { location: `http://joe:secret@${storage.host}/signed?sig=abc` },
      ),
    );
    expect(await readAll(await repository.fetch(layer))).toEqual(layer.bytes);
    expect(registry.requests.at(-1)?.headers.authorization).toBeDefined();
    expect(storage.seen).toHaveLength(1);
    expect(storage.seen[0]).not.toHaveProperty('authorization');
  },
);

test('a redirect within the registry keeps the credentials', async () => {
  const registry = await testRegistry({ auth: { kind: 'basic', users } });
  const repository = repositoryAt(registry, { credentials });
  await repository.resolve('1');
  registry.faults.push(
    status(307, { path: '/blobs/' }, { location: `/v2/other/blobs/${layer.digest}` }),
  );
  await expect(repository.fetch(layer)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(registry.requests.at(-1)?.headers.authorization).toBeDefined();
});

test('a circle of redirects is left', async () => {
  const registry = await testRegistry({
    intercept: (request, response) => {
      if (!request.url?.includes('/blobs/')) return false;
      response.writeHead(307, { location: request.url });
      response.end();
      return true;
    },
  });
  await expect(repositoryAt(registry).fetch(layer)).rejects.toMatchObject({
    code: 'REGISTRY',
    message: expect.stringContaining('redirects'),
  });
});

test.each([
  ['https://r.example/v2/x', '/v2/y', 'https://r.example/v2/y'],
  ['https://r.example/v2/x', 'http://r.example/v2/y?a=b', 'https://r.example/v2/y?a=b'],
  ['https://r.example:5000/v2/x', 'http://r.example/v2/y', 'https://r.example:5000/v2/y'],
  ['https://r.example/v2/x', 'https://cdn.example/y', 'https://cdn.example/y'],
  ['http://r.example/v2/x', 'https://cdn.example/y', 'https://cdn.example/y'],
  ['http://r.example/v2/x', 'http://u:p@cdn.example/y#z', 'http://cdn.example/y'],
])('from %s, %s leads to %s', (from, location, expected) => {
  expect(String(resolveLocation({ method: 'GET', url: new URL(from) }, location))).toBe(expected);
});

test.each([
  ['https://r.example/', 'http://cdn.example/y'],
  ['https://r.example/', 'file:///etc/passwd'],
  ['http://r.example/', 'ftp://cdn.example/y'],
  ['https://r.example/', 'http://[bad'],
])('from %s, %s is not followed', (from, location) => {
  expect(() => resolveLocation({ method: 'GET', url: new URL(from) }, location)).toThrow(
    expect.objectContaining({ code: 'REGISTRY' }),
  );
});
