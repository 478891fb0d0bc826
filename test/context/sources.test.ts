import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { download, downloadName } from '../../src/context/download.ts';
import { checkOut } from '../../src/context/git.ts';
import { openKnownDownloads } from '../../src/context/known-downloads.ts';
import {
  type MainContextOptions,
  openMainContext,
  openNamedContext,
} from '../../src/context/sources.ts';
import { tarOf } from '../helpers/archives.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { describeTree } from '../helpers/trees.ts';

const TAR = tarOf([
  { name: 'Dockerfile', content: 'FROM tar\n' },
  { name: 'other', content: 'FROM other\n' },
  { name: '.dockerignore', content: '*' },
  { name: 'd/a', content: 'x', uid: 5, gid: 6 },
]);
const TAR_LINES = [
  '-644 0/0 1 .dockerignore',
  '-644 0/0 11 other',
  '-644 0/0 9 Dockerfile',
  '-644 5/6 1 d/a',
  'd755 0/0 0 d',
];

function options(more: Partial<MainContextOptions> = {}): MainContextOptions {
  return {
    context: '.',
    temp: tempDirectory,
    env: process.env,
    fetch: globalThis.fetch,
    workdir: tempDirectory(),
    ...more,
  };
}

function write(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
    fs.writeFileSync(path.join(directory, name), text);
  }
}

async function serve(handler: http.RequestListener): Promise<string> {
  const server = http.createServer(handler).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('a directory', () => {
  test.each([
    [{ Dockerfile: 'D', dockerfile: 'd' }, undefined, 'D', 'ctx/Dockerfile'],
    [{ dockerfile: 'd' }, undefined, 'd', 'ctx/dockerfile'],
    [{ Dockerfile: 'D', 'x/y': 'f' }, 'ctx/x/y', 'f', 'ctx/x/y'],
    [{ Dockerfile: 'D' }, 'outside', 'out', 'outside'],
  ])('%j with -f %s', async (files, dockerfile, text, name) => {
    const workdir = tempDirectory();
    write(workdir, { outside: 'out' });
    write(path.join(workdir, 'ctx'), files);
    const opened = await openMainContext(
      options({ workdir, context: 'ctx', ...(dockerfile === undefined ? {} : { dockerfile }) }),
    );
    expect(opened.dockerfile).toEqual({ bytes: Buffer.from(text), name });
    expect(opened.directory).toBe(path.join(workdir, 'ctx'));
  });

  test('obeys the rules beside the Dockerfile first', async () => {
    const workdir = tempDirectory();
    write(workdir, {
      'ctx/.dockerignore': 'a',
      'ctx/a': '',
      'ctx/b': '',
      'D.dockerignore': 'b',
      D: '',
    });
    const opened = await openMainContext(options({ workdir, context: 'ctx', dockerfile: 'D' }));
    expect(opened.tree.lookup('a')).toBeDefined();
    expect(opened.tree.lookup('b')).toBeUndefined();
  });

  test('takes its Dockerfile from stdin or from the caller', async () => {
    const workdir = tempDirectory();
    const stdin = Readable.from([Buffer.from('FROM '), Buffer.from('x')]);
    const piped = await openMainContext(options({ workdir, dockerfile: '-', stdin }));
    expect(piped.dockerfile).toEqual({ bytes: Buffer.from('FROM x'), name: '-' });
    const given = await openMainContext(options({ workdir, dockerfileText: 'FROM y' }));
    expect(given.dockerfile.bytes.toString()).toBe('FROM y');
  });

  test.each([
    ['without a Dockerfile', { context: '.' }, 'CONTEXT'],
    ['that does not exist', { context: 'missing', dockerfileText: 'FROM x' }, 'CONTEXT'],
    ['when stdin is wanted twice', { context: '-', dockerfile: '-' }, 'USAGE'],
  ])('%s is refused', async (_what, more, code) => {
    await expect(openMainContext(options(more))).rejects.toMatchObject({ code });
  });
});

describe('stdin', () => {
  test.each([
    ['a tar', TAR],
    ['a gzipped tar', execFileSync('gzip', ['-c'], { input: TAR })],
  ])('%s is the context: owners as in it, nothing ignored', async (_what, bytes) => {
    const opened = await openMainContext(options({ context: '-', stdin: Readable.from([bytes]) }));
    expect(opened.dockerfile.bytes.toString()).toBe('FROM tar\n');
    expect(describeTree(opened.tree)).toEqual(TAR_LINES);
  });

  test('-f names a file of the tar', async () => {
    const stdin = Readable.from([TAR]);
    const opened = await openMainContext(options({ context: '-', dockerfile: './other', stdin }));
    expect(opened.dockerfile).toEqual({ bytes: Buffer.from('FROM other\n'), name: './other' });
  });

  test('a tar without a Dockerfile is refused', async () => {
    const stdin = Readable.from([tarOf([{ name: 'a', content: '' }])]);
    await expect(openMainContext(options({ context: '-', stdin }))).rejects.toMatchObject({
      code: 'CONTEXT',
    });
  });

  test('a Dockerfile has an empty context', async () => {
    const stdin = Readable.from([Buffer.from('FROM scratch\n')]);
    const opened = await openMainContext(options({ context: '-', stdin }));
    expect(opened.dockerfile.bytes.toString()).toBe('FROM scratch\n');
    expect(describeTree(opened.tree)).toEqual([]);
  });
});

describe('a URL', () => {
  test('of a tar is its files', async () => {
    const url = await serve((_request, response) => response.end(TAR));
    const opened = await openMainContext(options({ context: `${url}/x` }));
    expect(describeTree(opened.tree)).toEqual(TAR_LINES);
  });

  test('of a Dockerfile has that alone, under the name that the engine gives it', async () => {
    const url = await serve((_request, response) => response.end('FROM scratch\n'));
    const opened = await openMainContext(options({ context: `${url}/x` }));
    expect(opened.dockerfile.bytes.toString()).toBe('FROM scratch\n');
    expect(describeTree(opened.tree)).toEqual(['-600 0/0 13 context']);
    const named = await openNamedContext(`${url}/x.tar`, options());
    expect(describeTree(named.tree)).toEqual(['-600 0/0 13 context']);
  });

  const fetchFrom = (url: string, checksum?: string) =>
    download(url, { directory: tempDirectory(), fetch, ...(checksum ? { checksum } : {}) });

  test('has the time that the server says, else 1970, and is followed where it leads', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/old') response.writeHead(302, { location: '/new' }).end();
      else if (request.url === '/new') {
        response.setHeader('Last-Modified', 'Sun, 09 Sep 2001 01:46:40 GMT').end('x');
      } else response.end('y');
    });
    expect(await fetchFrom(`${url}/old`)).toMatchObject({
      mode: 0o600,
      mtime: 1_000_000_000n * 10n ** 9n,
      size: 1,
    });
    expect(await fetchFrom(`${url}/plain`)).toMatchObject({ mtime: 0n });
  });

  const HELLO = 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';

  test.each([
    ['a wrong checksum', '/hello', `sha256:${'0'.repeat(64)}`, 'DIGEST_MISMATCH'],
    ['an unknown algorithm', '/hello', 'md5:00', 'USAGE'],
    ['a short digest', '/hello', 'sha256:00', 'USAGE'],
    ['a missing file', '/404', HELLO, 'NETWORK'],
    ['a broken connection', '/break', HELLO, 'NETWORK'],
  ])('%s is an error', async (_what, where, checksum, code) => {
    const url = await serve((request, response) => {
      if (request.url === '/break') {
        response.writeHead(200, { 'content-length': '100' }).write('part');
        request.socket.destroy();
      } else response.writeHead(request.url === '/404' ? 404 : 200).end('hello');
    });
    await expect(fetchFrom(`${url}${where}`, checksum)).rejects.toMatchObject({ code });
  });

  test('with the right checksum is taken', async () => {
    const url = await serve((_request, response) => response.end('hello'));
    expect(await fetchFrom(`${url}/x`, HELLO)).toMatchObject({ size: 5 });
  });

  describe('that was downloaded before', () => {
    /** A server of one file, which answers with what `reply` says, and notes what it was asked. */
    async function serveFile(reply: { etag?: string; modified?: string; text: string }) {
      const asked: (string | undefined)[] = [];
      const url = await serve((request, response) => {
        const { 'if-none-match': match, 'if-modified-since': since } = request.headers;
        asked.push(match ?? since);
        if (reply.etag) response.setHeader('ETag', reply.etag);
        if (reply.modified) response.setHeader('Last-Modified', reply.modified);
        const isSame = match === undefined ? since === reply.modified : match === reply.etag;
        if ((match ?? since) !== undefined && isSame) response.writeHead(304).end();
        else response.end(reply.text);
      });
      return { url: `${url}/file`, asked };
    }
    const SUNDAY = 'Sun, 09 Sep 2001 01:46:40 GMT';
    const fetcher = () => {
      const known = openKnownDownloads(path.join(tempDirectory(), 'downloads'));
      return async (url: string, checksum?: string) => {
        const directory = tempDirectory();
        const node = await download(url, {
          ...{ directory, fetch, known },
          ...(checksum ? { checksum } : {}),
        });
        const { file } = node.content as { file: string };
        return { text: fs.readFileSync(file, 'utf8'), file, node };
      };
    };

    test.each([
      ['its ETag', { etag: '"1"' }, '"1"'],
      ['its time', { modified: SUNDAY }, SUNDAY],
      ['its ETag rather than its time', { etag: 'W/"1"', modified: SUNDAY }, 'W/"1"'],
    ])('is asked for by %s, and not sent again', async (_what, validators, asks) => {
      const reply = { ...validators, text: 'hello' };
      const { url, asked } = await serveFile(reply);
      const get = fetcher();
      const first = await get(url);
      // Were this sent, it would be seen.
      reply.text = 'other';
      expect(await get(url)).toEqual(first);
      expect(asked).toEqual([undefined, asks]);
    });

    test('that cannot be kept is an error of the store, without the password of the URL', () => {
      const [directory, file] = ['directory', 'download'].map((name) =>
        path.join(tempDirectory(), name),
      );
      for (const each of [directory!, file!]) fs.writeFileSync(each, '');
      const known = { etag: '"1"', sha256: '0'.repeat(64), size: 0 };
      const url = 'https://me:password@host.test/x';
      const keep = () => openKnownDownloads(directory!).keep(url, file!, known);
      expect(keep).toThrow(expect.objectContaining({ code: 'STORE' }));
      expect(keep).not.toThrow('password');
    });

    test('is sent again when it has changed', async () => {
      const reply = { etag: '"1"', text: 'one' };
      const { url } = await serveFile(reply);
      const get = fetcher();
      await get(url);
      Object.assign(reply, { etag: '"2"', text: 'two' });
      expect((await get(url)).text).toBe('two');
      expect((await get(url)).text).toBe('two');
    });

    test('is taken to be the same by an equal ETag, though the server sends it', async () => {
      const url = await serve((_request, response) => response.setHeader('ETag', '"1"').end('x'));
      const get = fetcher();
      const { file } = await get(url);
      expect((await get(url)).file).toBe(file);
    });

    test('is sent again where no validator came with it', async () => {
      const { url, asked } = await serveFile({ text: 'hello' });
      const get = fetcher();
      await get(url);
      await get(url);
      expect(asked).toEqual([undefined, undefined]);
    });

    test('is not trusted against a checksum', async () => {
      const reply = { etag: '"1"', text: 'other' };
      const { url, asked } = await serveFile(reply);
      const get = fetcher();
      await get(url);
      reply.text = 'hello';
      expect((await get(url, HELLO)).text).toBe('hello');
      expect(asked).toEqual([undefined, undefined]);
      await get(url, HELLO);
      expect(asked.at(-1)).toBe('"1"');
    });

    test.each([
      ['is gone', (file: string) => fs.rmSync(file)],
      ['is cut off', (file: string) => fs.truncateSync(file, 1)],
      [
        'is not described any more',
        (file: string) => fs.writeFileSync(`${file.slice(0, -65)}.json`, '{'),
      ],
    ])('is fetched where the kept file %s', async (_what, damage) => {
      const { url, asked } = await serveFile({ etag: '"1"', text: 'hello' });
      const get = fetcher();
      damage((await get(url)).file);
      expect((await get(url)).text).toBe('hello');
      expect(asked).toEqual([undefined, undefined]);
    });
  });

  test.each([
    ['http://host/a/x.txt?q=1#f', 'x.txt'],
    ['http://host/x%2Fy', 'y'],
    ['http://host/a%20b', 'a b'],
    ['http://host/100%', '100%'],
    ['http://host/', '__unnamed__'],
    ['http://host', '__unnamed__'],
  ])('%s is called %s', (url, name) => {
    expect(downloadName(url)).toBe(name);
  });
});

describe('a git repository', () => {
  function repository(): string {
    const origin = tempDirectory();
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd: origin });
    git('init', '-q', '-b', 'main');
    write(origin, { a: 'one', 'sub/b': 'two', '.gitignore': 'dist\n' });
    git('add', '.');
    git('commit', '-qm', 'first');
    git('tag', 'v1');
    write(origin, { a: 'changed' });
    git('commit', '-qam', 'second');
    return origin;
  }
  const at = (reference: Parameters<typeof checkOut>[0]) =>
    checkOut(reference, { directory: tempDirectory(), env: process.env });

  test('is the files of a commit, for all to read', async () => {
    const remote = repository();
    expect(describeTree(await at({ remote }))).toEqual([
      '-644 0/0 3 sub/b',
      '-644 0/0 5 .gitignore',
      '-644 0/0 7 a',
      'd755 0/0 0 sub',
    ]);
    expect((await at({ remote, ref: 'v1' })).lookup('a')?.size).toBe(3);
    expect(describeTree(await at({ remote, subdirectory: 'sub' }))).toEqual(['-644 0/0 3 b']);
    expect((await at({ remote, keepGitDirectory: true })).lookup('.git/HEAD')).toBeDefined();
  });

  test('can be asked for a commit that it does not serve by name', async () => {
    const remote = repository();
    const commit = execFileSync('git', ['rev-parse', 'v1'], {
      cwd: remote,
      encoding: 'utf8',
    }).trim();
    const found = await at({ remote, ref: commit.slice(0, 10), checksum: commit.slice(0, 10) });
    expect(found.lookup('a')?.size).toBe(3);
    await expect(at({ remote, checksum: commit })).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    });
  });

  test('tells of files that its .gitignore keeps out', async () => {
    const tree = await at({ remote: repository() });
    expect(tree.whyMissing?.('dist/x')).toMatch(/\.gitignore keeps dist\/x out/);
    expect(tree.whyMissing?.('other')).toBeUndefined();
  });

  test.each([
    [{ ref: 'nope' }],
    [{ ref: '--upload-pack=touch /tmp/x' }],
    [{ subdirectory: 'nope' }],
    [{ subdirectory: 'a' }],
  ])('without %j is refused', async (more) => {
    await expect(at({ remote: repository(), ...more })).rejects.toMatchObject({ code: 'CONTEXT' });
  });
});
