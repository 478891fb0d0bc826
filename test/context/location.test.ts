import { describe, expect, test } from 'vitest';
import {
  parseContextLocation,
  parseGitReference,
  parseLayoutLocation,
  redactUrl,
} from '../../src/context/location.ts';

test.each([
  ['-', { type: 'stdin' }],
  ['.', { type: 'directory', path: '.' }],
  ['./x.git', { type: 'directory', path: './x.git' }],
  ['C:/x', { type: 'directory', path: 'C:/x' }],
  ['http://host/x.tar.gz', { type: 'http', url: 'http://host/x.tar.gz' }],
  ['https://host/Dockerfile#x', { type: 'http', url: 'https://host/Dockerfile#x' }],
])('%s', (text, expected) => {
  expect(parseContextLocation(text)).toEqual(expected);
});

describe('an OCI layout', () => {
  const digest = `sha256:${'0a'.repeat(32)}`;

  test.each([
    ['oci-layout:///a/b', { directory: '/a/b' }],
    ['oci-layout://a', { directory: 'a' }],
    ['oci-layout://../a:1.0', { directory: '../a', tag: '1.0' }],
    // By its whole name.
    ['oci-layout://a:host/b:c', { directory: 'a', tag: 'host/b:c' }],
    [`oci-layout://a@${digest}`, { directory: 'a', digest }],
    [`oci-layout://a:1@${digest}`, { directory: 'a', tag: '1', digest }],
    ['/a/b', undefined],
    ['docker-image://a', undefined],
  ])('%s', (text, expected) => {
    expect(parseLayoutLocation(text)).toEqual(expected);
  });

  test.each(['', ':tag', `@${digest}`, 'a@', 'a@latest', 'a:'])(
    'is not named by oci-layout://%s',
    (rest) => {
      expect(() => parseLayoutLocation(`oci-layout://${rest}`)).toThrow(
        expect.objectContaining({ code: 'USAGE' }),
      );
    },
  );
});

describe('a git repository', () => {
  test.each([
    ['https://host/a/b.git', { remote: 'https://host/a/b.git' }],
    ['https://host/b.git#main', { remote: 'https://host/b.git', ref: 'main' }],
    [
      'https://host/b.git#main:sub/dir',
      { remote: 'https://host/b.git', ref: 'main', subdirectory: 'sub/dir' },
    ],
    ['https://host/b.git#:sub', { remote: 'https://host/b.git', subdirectory: 'sub' }],
    ['git://host/b', { remote: 'git://host/b' }],
    ['ssh://git@host:22/b.git#v1', { remote: 'ssh://git@host:22/b.git', ref: 'v1' }],
    ['git@host:a/b.git#v1:s', { remote: 'git@host:a/b.git', ref: 'v1', subdirectory: 's' }],
    ['github.com/a/b#v1', { remote: 'https://github.com/a/b', ref: 'v1' }],
    [
      'https://host/b.git?ref=v1&subdir=s',
      { remote: 'https://host/b.git', ref: 'v1', subdirectory: 's' },
    ],
    ['https://host/b.git?tag=v1', { remote: 'https://host/b.git', ref: 'refs/tags/v1' }],
    ['https://host/b.git?branch=x', { remote: 'https://host/b.git', ref: 'refs/heads/x' }],
    [
      'https://host/b.git?checksum=abc1234',
      { remote: 'https://host/b.git', ref: 'abc1234', checksum: 'abc1234' },
    ],
    ['https://host/b.git?keep-git-dir=1', { remote: 'https://host/b.git', keepGitDirectory: true }],
    ['https://host/b.git?submodules=false', { remote: 'https://host/b.git', submodules: false }],
    ['https://host/b.git?submodules', { remote: 'https://host/b.git', submodules: true }],
  ])('%s', (text, expected) => {
    expect(parseGitReference(text)).toEqual(expected);
  });

  test.each([
    'https://host/b.git?color=red',
    'https://host/b.git?ref=',
    'https://host/b.git?ref=a&ref=b',
    'https://host/b.git?ref=a#b',
    'https://host/b.git?tag=a&branch=b',
    'https://host/b.git?keep-git-dir=maybe',
  ])('%s is refused', (text) => {
    expect(() => parseGitReference(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  test.each([
    '-oProxyCommand=x@host:y',
    '--upload-pack=x',
    'ext::sh -c x',
    'file:///etc',
    'a@-x:y',
  ])('%s is none', (text) => {
    expect(parseGitReference(text)).toBeUndefined();
  });
});

test('a password in a URL is not shown', () => {
  expect(redactUrl('https://me:secret@host/x.git')).toBe('https://…@host/x.git');
});
