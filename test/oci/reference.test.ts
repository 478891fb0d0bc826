import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTsbuildError } from '../../src/errors.ts';
import {
  contextName,
  familiarReference,
  formatReference,
  isReference,
  parseReference,
} from '../../src/oci/reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('parseReference', () => {
  it.each([
    ['busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['busybox:1', 'docker.io/library/busybox:1', 'busybox:1'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['index.docker.io/library/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['me/app', 'docker.io/me/app:latest', 'me/app:latest'],
    ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
    ['localhost:5000/a/b:v1', 'localhost:5000/a/b:v1', 'localhost:5000/a/b:v1'],
    ['ghcr.io/a/b', 'ghcr.io/a/b:latest', 'ghcr.io/a/b:latest'],
    ['[::1]:5000/a', '[::1]:5000/a:latest', '[::1]:5000/a:latest'],
    [`busybox@${digest}`, `docker.io/library/busybox@${digest}`, `busybox@${digest}`],
    [`busybox:1@${digest}`, `docker.io/library/busybox:1@${digest}`, `busybox:1@${digest}`],
    ['a__b/c-d/e.f', 'docker.io/a__b/c-d/e.f:latest', 'a__b/c-d/e.f:latest'],
  ])('reads %s', (text, full, familiar) => {
    const reference = parseReference(text);
    expect(isReference(text)).toBe(true);
    expect(formatReference(reference)).toBe(full);
    expect(familiarReference(reference)).toBe(familiar);
    expect(formatReference(parseReference(full))).toBe(full);
    expect(formatReference(parseReference(familiar))).toBe(full);
  });

  it.each([
    '',
    ':',
    '/',
    '@',
    'UPPER',
    'a/UPPER',
    'a//b',
    '/a',
    'a/',
    'a b',
    'a:b:c',
    'a@sha256:1',
    `a@md5:${'0'.repeat(32)}`,
    '-a',
    'a-',
    'a..b',
    'a___b',
    'ghcr.io/',
    'ghcr.io:x/a',
    'a'.repeat(300),
    '0'.repeat(64),
    'a:.x',
    `a:${'t'.repeat(129)}`,
  ])('refuses %j', (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(isReference(text)).toBe(false);
  });

  it('gives nothing but a reference or its own error, whatever it reads', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9:/@.[\]_-]*$/)), (text) => {
        try {
          const full = formatReference(parseReference(text));
          expect(formatReference(parseReference(full))).toBe(full);
        } catch (error) {
          expect(isTsbuildError(error)).toBe(true);
        }
      }),
    );
  });
});

describe('contextName', () => {
  it.each([
    ['alpine', 'alpine'],
    ['alpine:latest', 'alpine'],
    ['docker.io/library/alpine:latest', 'alpine'],
    ['alpine:3', 'alpine:3'],
    ['host:5000/a', 'host:5000/a'],
    ['Not A Reference', 'Not A Reference'],
  ])('of %s is %s', (text, name) => expect(contextName(text)).toBe(name));
});
