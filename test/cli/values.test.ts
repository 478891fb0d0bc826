import { describe, expect, test } from 'vitest';
import { parseEnvFile } from '../../src/cli/env-file.ts';
import {
  fromEnvironment,
  parseAddHost,
  parseSize,
  parseUlimit,
  splitCommas,
} from '../../src/cli/values.ts';

const usageError = (message: RegExp) =>
  expect.objectContaining({ code: 'USAGE', message: expect.stringMatching(message) });

describe('comma lists', () => {
  test.each([
    ['a,b', ['a', 'b']],
    ['a,', ['a', '']],
    ['type=local,"dest=a,b"', ['type=local', 'dest=a,b']],
    ['"say ""hi"""', ['say "hi"']],
    ['"",x', ['', 'x']],
  ])('%j', (text, fields) => {
    expect(splitCommas(text, 'output')).toEqual(fields);
  });

  test.each(['"a', '"a"b', '"a" ,b', 'a"b', ''])('%j is refused', (text) => {
    expect(() => splitCommas(text, 'output')).toThrow(usageError(/^flag --output: /));
  });
});

describe('sizes', () => {
  test.each([
    ['64m', 64 * 1024 ** 2],
    ['1g', 1024 ** 3],
    ['1.5kB', 1536],
    ['2GiB', 2 * 1024 ** 3],
    ['100', 100],
    ['10b', 10],
  ])('%s', (text, bytes) => {
    expect(parseSize(text, 'shm-size')).toBe(bytes);
  });

  test.each(['', 'm', '-1', '1x', '1mm', '0x10'])('%j is not one', (text) => {
    expect(() => parseSize(text, 'shm-size')).toThrow(usageError(/is not a size/));
  });
});

describe('limits', () => {
  test.each([
    ['nofile=1024:2048', { name: 'nofile', soft: 1024, hard: 2048 }],
    ['nproc=10', { name: 'nproc', soft: 10, hard: 10 }],
    ['core=-1', { name: 'core', soft: -1, hard: -1 }],
    ['core=0:-1', { name: 'core', soft: 0, hard: -1 }],
  ])('%s', (text, limit) => {
    expect(parseUlimit(text)).toEqual(limit);
  });

  test.each([
    ['nofile', /NAME=SOFT/],
    ['nofile=', /NAME=SOFT/],
    ['files=1', /no limit is called files/],
    ['nofile=2:1', /above the hard limit/],
    ['nofile=-1:1', /above the hard limit/],
  ])('%s is refused', (text, message) => {
    expect(() => parseUlimit(text)).toThrow(usageError(message));
  });
});

describe('hosts', () => {
  test.each([
    ['db:10.0.0.1', ['db', '10.0.0.1']],
    ['db=10.0.0.1', ['db', '10.0.0.1']],
    ['db:::1', ['db', '::1']],
    ['db=[fe80::1]', ['db', 'fe80::1']],
    ['host.docker.internal:host-gateway', ['host.docker.internal', 'host-gateway']],
  ])('%s', (text, pair) => {
    expect(parseAddHost(text)).toEqual(pair);
  });

  test.each(['db', 'db:', ':1.2.3.4', 'db:localhost'])('%s is refused', (text) => {
    expect(() => parseAddHost(text)).toThrow(usageError(/is not HOST:IP/));
  });
});

describe('values from the environment', () => {
  test('are taken where none is written, and left out where there is none', () => {
    const env = { A: 'from env', EMPTY: '' };
    expect(fromEnvironment(['A', 'B', 'C=', 'D=x=y', 'EMPTY'], env)).toEqual({
      A: 'from env',
      C: '',
      D: 'x=y',
      EMPTY: '',
    });
  });

  test('need a name', () => {
    expect(() => fromEnvironment(['=x'], {})).toThrow(usageError(/has no name/));
  });
});

describe('a file of variables', () => {
  test('is taken as it is: no quotes, no expansion', () => {
    const text = '\ufeff# comment\n\n  A=1\r\nB="two words"\nC=$A # no comment\nD\n';
    expect(parseEnvFile(text, 'f')).toEqual(['A=1', 'B="two words"', 'C=$A # no comment', 'D']);
  });

  test('with a name that has a space is refused, with the line', () => {
    expect(() => parseEnvFile('A=1\nexport B=2', 'f')).toThrow(usageError(/^f:2: "export B"/));
  });
});
