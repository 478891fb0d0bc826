import { describe, expect, it } from 'vitest';
import {
  compatiblePlatforms,
  formatPlatform,
  parsePlatform,
  samePlatform,
} from '../../src/oci/platform.ts';

const host = { os: 'linux', architecture: 'amd64' };

describe('parsePlatform', () => {
  it.each([
    ['linux/amd64', 'linux/amd64'],
    ['linux/x86_64', 'linux/amd64'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/arm/6', 'linux/arm/v6'],
    ['arm64', 'linux/arm64'],
    ['windows', 'windows/amd64'],
    ['local', 'linux/amd64'],
    ['LINUX/AMD64', 'linux/amd64'],
    ['linux/unheardof', 'linux/unheardof'],
  ])('reads %s as %s', (text, expected) => {
    expect(formatPlatform(parsePlatform(text, host))).toBe(expected);
  });

  it.each(['', '/', 'linux/', 'a/b/c/d', 'linux amd64', 'foo'])('refuses %j', (text) => {
    expect(() => parsePlatform(text, host)).toThrow(expect.objectContaining({ code: 'PLATFORM' }));
  });
});

describe('compatiblePlatforms', () => {
  it.each([
    ['linux/amd64', ['linux/amd64', 'linux/386']],
    ['linux/arm/v7', ['linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5']],
    ['linux/arm/v6', ['linux/arm/v6', 'linux/arm/v5']],
    [
      'linux/arm64',
      ['linux/arm64', 'linux/arm/v8', 'linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5'],
    ],
    [
      'linux/arm64/v9',
      [
        'linux/arm64/v9',
        'linux/arm64',
        'linux/arm/v8',
        'linux/arm/v7',
        'linux/arm/v6',
        'linux/arm/v5',
      ],
    ],
    ['linux/amd64/v3', ['linux/amd64/v3', 'linux/amd64/v2', 'linux/amd64', 'linux/386']],
    ['linux/riscv64', ['linux/riscv64']],
  ])('of %s, best first', (text, expected) => {
    expect(compatiblePlatforms(parsePlatform(text, host)).map(formatPlatform)).toEqual(expected);
  });

  it('compares what different names mean', () => {
    expect(samePlatform({ os: 'linux', architecture: 'x86_64' }, host)).toBe(true);
    expect(samePlatform({ os: 'linux', architecture: 'arm64' }, host)).toBe(false);
  });
});
