import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mountCircumstances, remembered } from '../../src/executor/host-facts.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const never = (): never => {
  throw new Error('asked again');
};

test('what was found out is known in the same circumstances, and found out anew in others', () => {
  const file = join(tempDirectory(), 'host/forms');
  expect(remembered(file, 'linux 6', () => 'erofs')).toBe('erofs');
  expect(remembered(file, 'linux 6', never)).toBe('erofs');
  expect(remembered(file, 'linux 5', () => 'directory')).toBe('directory');
  expect(remembered(file, 'linux 6', () => 'erofs,directory')).toBe('erofs,directory');
});

test('what could not be found out is asked again', () => {
  const file = join(tempDirectory(), 'host/forms');
  expect(remembered(file, '', () => undefined)).toBeUndefined();
  expect(existsSync(file)).toBe(false);
  expect(remembered(file, '', () => 'yes')).toBe('yes');
});

test('a place that cannot be written to does no harm', () => {
  const directory = tempDirectory();
  writeFileSync(join(directory, 'host'), 'a file');
  expect(remembered(join(directory, 'host/forms'), '', () => 'yes')).toBe('yes');
  expect(readdirSync(directory)).toEqual(['host']);
});

test('circumstances are one line, the same each time', () => {
  const directory = tempDirectory();
  expect(mountCircumstances(directory)).toMatch(/^\S.* CapEff: [0-9a-f]{16}.*$/);
  expect(mountCircumstances(directory)).toBe(mountCircumstances(directory));
});
