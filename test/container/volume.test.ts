import { describe, expect, it } from 'vitest';
import { parseVolume } from '../../src/container/volume.ts';

describe('a volume', () => {
  it.each([
    ['/a:/b', { source: '/a', target: '/b', readonly: false }],
    ['/a:/b:ro', { source: '/a', target: '/b', readonly: true }],
    ['/a:/b/:rw', { source: '/a', target: '/b', readonly: false }],
    ['.:/b', { source: '/cwd', target: '/b', readonly: false }],
    ['./x/../y:/b', { source: '/cwd/y', target: '/b', readonly: false }],
    ['../x:/b/../c', { source: '/x', target: '/c', readonly: false }],
    ['/a:/b:ro,z,rslave', { source: '/a', target: '/b', readonly: true, propagation: 'rslave' }],
  ])('is read from %s', (text, expected) => {
    expect(parseVolume(text, '/cwd')).toEqual({ type: 'bind', ...expected });
  });

  it.each([
    ['/a', 'source or target is missing'],
    ['', 'source or target is missing'],
    [':/b', 'source or target is missing'],
    ['/a:b', 'b is not an absolute path'],
    ['/a:/', 'nothing can be mounted over the root'],
    ['/a:/b/..', 'nothing can be mounted over the root'],
    ['name:/b', 'name is not a path'],
    ['/a:/b:wo', 'unknown option wo'],
    ['/a:/b:ro:x', 'it has too many parts'],
  ])('is refused as %j: %s', (text, why) => {
    expect(() => parseVolume(text, '/cwd')).toThrow(`volume ${JSON.stringify(text)}: ${why}`);
  });
});
