import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chooseRuntime } from '../../src/runtime/choose-runtime.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const pathWith = (...names: string[]): string => {
  const directory = tempDirectory();
  for (const name of names) {
    writeFileSync(join(directory, name), '');
    chmodSync(join(directory, name), 0o755);
  }
  return directory;
};

describe('the runtime', () => {
  it.each([
    [['crun', 'runc'], '', 'crun'],
    [['crun', 'runc'], 'runc', 'runc'],
    [['runc'], '', 'runc'],
  ])('of %j, if %j is wanted, is %s', (there, wanted, name) => {
    const path = pathWith(...there);
    expect(chooseRuntime(path, wanted)).toEqual({ name, file: join(path, name) });
  });

  it('is runc for a terminal, if it is there', () => {
    expect(chooseRuntime(pathWith('crun', 'runc'), '', { terminal: true }).name).toBe('runc');
    expect(chooseRuntime(pathWith('crun'), '', { terminal: true }).name).toBe('crun');
    expect(chooseRuntime(pathWith('crun', 'runc'), 'crun', { terminal: true }).name).toBe('crun');
  });

  it.each([
    ['', 'run a container: there is no crun or runc'],
    ['crun', 'run a container: there is no crun'],
    ['kata', 'TSBUILD_RUNTIME is no known runtime: kata'],
  ])('is missed by name if %j is wanted and there is none', (wanted, message) => {
    expect(() => chooseRuntime(pathWith(), wanted)).toThrow(message);
  });
});
