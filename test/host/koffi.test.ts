import koffi from 'koffi';
import { expect, it } from 'vitest';
import { loadKoffi } from '../../src/host/koffi.ts';

it('is what the package koffi would load', () => {
  expect(loadKoffi().version).toBe(koffi.version);
  expect(loadKoffi().load(null).func('int getpid()')()).toBe(process.pid);
});
