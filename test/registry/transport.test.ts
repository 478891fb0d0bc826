import { readFileSync } from 'node:fs';
import {
  createServer as createHttpServer,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import type { TlsOptions } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { selfSign } from '../helpers/certificates.ts';
import { blob, noise, readAll, testClient, testRegistry } from '../helpers/registry-client.ts';
import { repositoryOf } from '../helpers/registry-endpoints.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const layer = blob(noise(1000));

interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate of its own authority, for a host that the proxy below leads to this machine. */
function selfSigned(host: string): Certificate {
  const directory = tempDirectory();
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  selfSign({ cert, key }, `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`);
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}

/** A registry that has nothing, over TLS; keeps whether clients showed certificates. */
async function tlsRegistry(
  certificate: Certificate,
  options: TlsOptions = {},
): Promise<{ port: number; clients: boolean[] }> {
  const clients: boolean[] = [];
  const server = createTlsServer(
    { ...certificate, requestCert: true, rejectUnauthorized: false, ...options },
    (request, response) => {
      clients.push(
        Object.keys((request.socket as import('node:tls').TLSSocket).getPeerCertificate()).length >
          0,
      );
      response.writeHead(404).end();
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, clients };
}

/** A proxy that leads every host to this machine; keeps what it was asked. */
async function testProxy(): Promise<{
  url: string;
  asked: string[];
  credentials: (string | undefined)[];
}> {
  const asked: string[] = [];
  const credentials: (string | undefined)[] = [];
  const note = (request: IncomingMessage) => {
    asked.push(`${request.method} ${request.url}`);
    credentials.push(request.headers['proxy-authorization']);
  };
  const server = createHttpServer((request, response) => {
    note(request);
    const url = new URL(request.url!);
    const onward = httpRequest(
      {
        host: '127.0.0.1',
        port: url.port,
        path: url.pathname + url.search,
        method: request.method,
        headers: request.headers,
      },
      (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      },
    );
    request.pipe(onward);
  });
  server.on('connect', (request, socket) => {
    note(request);
    const onward = connect(Number(request.url!.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [socket, onward]) end.on('error', () => {});
    onTestFinished(() => void onward.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://joe:pw@127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    credentials,
  };
}

test('a certificate that nobody vouches for is an error that says so, before anything is asked', async () => {
  const { port, clients } = await tlsRegistry(selfSigned('registry.test'));
  const proxy = await testProxy();
  const repository = testClient({ proxy: { https: proxy.url } }).repository({
    registry: `registry.test:${port}`,
    repository: 'a',
  });
  await expect(repository.resolve('1')).rejects.toMatchObject({
    code: 'NETWORK',
    retryable: false,
    message: expect.stringContaining('certificate not accepted'),
    hint: expect.stringContaining(`registry.test:${port}`),
  });
  expect(clients).toEqual([]);
});

test('an authority of the user’s own is believed, and the client certificate shown, for its host alone', async () => {
  const certificate = selfSigned('registry.test');
  const { port, clients } = await tlsRegistry(certificate);
  const proxy = await testProxy();
  const host = `registry.test:${port}`;
  const tls = (asked: string) =>
    asked === host ? { ca: certificate.cert, ...certificate } : undefined;
  const client = testClient({ tls, proxy: { https: proxy.url } });
  expect(await client.repository({ registry: host, repository: 'a' }).resolve('1')).toBeUndefined();
  expect(clients).toEqual([true]);
  const other = client.repository({ registry: `other.test:${port}`, repository: 'a' });
  await expect(other.resolve('1')).rejects.toMatchObject({ code: 'NETWORK' });
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'over %s, a host that wants a client certificate is an error that says where to put one',
  async (maxVersion) => {
    const certificate = selfSigned('localhost');
    const options = { rejectUnauthorized: true, maxVersion };
    const { port, clients } = await tlsRegistry(certificate, options);
    const client = testClient({ tls: () => ({ ca: certificate.cert }) });
    const repository = client.repository({ registry: `localhost:${port}`, repository: 'a' });
    await expect(repository.resolve('1')).rejects.toMatchObject({
      code: 'NETWORK',
      retryable: false,
      message: expect.stringContaining('wants a client certificate'),
      hint: expect.stringContaining(`certs.d/localhost:${port}/client.cert`),
    });
    expect(clients).toEqual([]);
  },
);

test('an insecure host may have any certificate, or none', async () => {
  const { port } = await tlsRegistry(selfSigned('elsewhere.test'));
  const plain = await testRegistry();
  const plainPort = plain.host.split(':')[1];
  const proxy = await testProxy();
  const client = testClient({
    insecure: ['registry.test'],
    proxy: { http: proxy.url, https: proxy.url },
  });
  expect(
    await client.repository({ registry: `registry.test:${port}`, repository: 'a' }).resolve('1'),
  ).toBeUndefined();
  expect(
    await client
      .repository({ registry: `registry.test:${plainPort}`, repository: 'a' })
      .resolve('1'),
  ).toBeUndefined();
});

test('a host that speaks plain http without being named insecure is an error that says so', async () => {
  const plain = await testRegistry();
  const proxy = await testProxy();
  const repository = testClient({ proxy: { https: proxy.url } }).repository({
    registry: `registry.test:${plain.host.split(':')[1]}`,
    repository: 'a',
  });
  await expect(repository.resolve('1')).rejects.toMatchObject({
    code: 'NETWORK',
    hint: expect.stringContaining('insecure'),
  });
  expect(plain.requests).toEqual([]);
});

test('a registry on this machine may speak TLS with any certificate', async () => {
  const { port } = await tlsRegistry(selfSigned('localhost'));
  expect(
    await testClient()
      .repository({ registry: `localhost:${port}`, repository: 'a' })
      .resolve('1'),
  ).toBeUndefined();
});

test('a proxy is used for what it is for, with its own credentials, and never for this machine', async () => {
  const registry = await testRegistry();
  repositoryOf(registry.repositories, 'a').blobs.set(layer.digest, layer.bytes);
  const port = registry.host.split(':')[1];
  const proxy = await testProxy();
  const client = testClient({
    insecure: ['registry.test', 'direct.localhost'],
    proxy: { http: proxy.url, https: proxy.url, no: '.localhost' },
  });
  const repository = client.repository({ registry: `registry.test:${port}`, repository: 'a' });
  expect(await readAll(await repository.fetch(layer))).toEqual(layer.bytes);
  expect(proxy.asked.at(-1)).toBe(`GET http://registry.test:${port}/v2/a/blobs/${layer.digest}`);
  expect(
    proxy.credentials.every(
      (value) => value === `Basic ${Buffer.from('joe:pw').toString('base64')}`,
    ),
  ).toBe(true);
  expect(registry.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  const before = proxy.asked.length;
  expect(await client.repository({ registry: registry.host, repository: 'a' }).exists(layer)).toBe(
    true,
  );
  expect(proxy.asked).toHaveLength(before);
});

test('an abort does not wait for a host that says nothing', async () => {
  const registry = await testRegistry({ intercept: () => true });
  const controller = new AbortController();
  const reason = new Error('enough');
  const repository = testClient().repository({ registry: registry.host, repository: 'a' });
  const resolving = repository.resolve('1', { signal: controller.signal });
  await expect.poll(() => registry.requests.length).toBe(1);
  controller.abort(reason);
  await expect(resolving).rejects.toBe(reason);
});

test('the environment of the process has no say', async () => {
  const registry = await testRegistry();
  const before = process.env.http_proxy;
  process.env.http_proxy = 'http://127.0.0.1:1';
  onTestFinished(() => {
    if (before === undefined) delete process.env.http_proxy;
    else process.env.http_proxy = before;
  });
  expect(
    await testClient().repository({ registry: registry.host, repository: 'a' }).resolve('1'),
  ).toBeUndefined();
});

test('every request says who we are', async () => {
  const registry = await testRegistry();
  await testClient({ userAgent: 'tsbuild/9' })
    .repository({ registry: registry.host, repository: 'a' })
    .resolve('1');
  expect(registry.requests.map(({ headers }) => headers['user-agent'])).toEqual([
    'tsbuild/9',
    'tsbuild/9',
  ]);
});
