import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRegistryConfiguration } from '../../src/registry/configuration.ts';
import { candidates } from '../../src/registry/endpoint.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

function directory(files: Readonly<Record<string, string>>): string {
  const root = tempDirectory();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

function configured(files: Readonly<Record<string, string>>, certificates: readonly string[] = []) {
  const root = directory(files);
  return readRegistryConfiguration({
    files: Object.keys(files)
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(root, name)),
    certificates: certificates.map((name) => join(root, name)),
  });
}

describe('registries.json', () => {
  test('says how registries are reached', () => {
    const { insecure, plainHttp } = configured({
      'a.json': '{"registries":{"lab.example":{"insecure":true},"plain:5000":{"http":true}}}',
    });
    const roots = (registry: string) => candidates(registry, { insecure, plainHttp }).map(String);
    expect(roots('lab.example')).toEqual(['https://lab.example/', 'http://lab.example/']);
    expect(roots('plain:5000')).toEqual(['http://plain:5000/']);
    expect(roots('other.example')).toEqual(['https://other.example/']);
  });

  test('names mirrors in order, with a path before the repository', () => {
    const { mirrors } = configured({
      'a.json': '{"registries":{"docker.io":{"mirrors":["cache:5000","harbor.example/hub/"]}}}',
    });
    expect(mirrors('docker.io')).toEqual([
      { registry: 'cache:5000', prefix: '' },
      { registry: 'harbor.example', prefix: 'hub/' },
    ]);
    expect(mirrors('ghcr.io')).toEqual([]);
  });

  test('of a user goes before that of the machine, registry by registry', () => {
    const { insecure, plainHttp } = configured({
      'a.json': '{"registries":{"one":{"insecure":true},"two":{"insecure":true}}}',
      'b.json': '{"registries":{"one":{"http":true}}}',
    });
    expect([insecure, plainHttp]).toEqual([['two'], ['one']]);
  });

  test("goes before podman's registries.conf, registry by registry", () => {
    const root = directory({
      'registries.conf':
        '[[registry]]\nlocation = "one"\ninsecure = true\n[[registry]]\nlocation = "two"\ninsecure = true',
      'a.json': '{"registries":{"one":{"http":true}}}',
    });
    const { insecure, plainHttp } = readRegistryConfiguration({
      podmanFiles: [join(root, 'registries.conf'), join(root, 'none.conf')],
      files: [join(root, 'a.json')],
      certificates: [],
    });
    expect([insecure, plainHttp]).toEqual([['two'], ['one']]);
  });

  test('need not be there', () => {
    const { insecure } = readRegistryConfiguration({ files: ['/no/such.json'], certificates: [] });
    expect(insecure).toEqual([]);
  });

  test.each([
    ['{', 'not valid JSON'],
    ['{"registries":{"a":{"insecur":true}}}', 'registries.a.insecur'],
    ['{"registries":{"a":{"mirrors":["https://b"]}}}', 'registries.a.mirrors.0'],
  ])('that makes no sense is refused with the place: %s', (text, where) => {
    expect(() => configured({ 'a.json': text })).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(where) }),
    );
  });
});

describe('certs.d', () => {
  test('has authorities and the client certificate of a host; the first directory counts', () => {
    const { tls } = configured(
      {
        'mine/host:5000/ca.crt': 'CA',
        'mine/host:5000/other.crt': 'MORE',
        'all/host:5000/ca.crt': 'not this',
        'all/secure/client.cert': 'CERT',
        'all/secure/client.key': 'KEY',
        'all/secure:443/ca.crt': 'not this',
      },
      ['mine', 'all'],
    );
    expect(tls('host:5000')).toEqual({ ca: 'CA\nMORE' });
    expect(tls('secure')).toEqual({ cert: 'CERT', key: 'KEY' });
    expect(tls('host')).toBeUndefined();
  });

  test('may name the port of https', () => {
    const { tls } = configured({ 'd/host:443/ca.crt': 'CA' }, ['d']);
    expect(tls('host')).toEqual({ ca: 'CA' });
  });

  test('with a certificate without its key is refused', () => {
    const { tls } = configured({ 'd/host/client.cert': 'CERT' }, ['d']);
    expect(() => tls('host')).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining('client.key') }),
    );
  });
});
