/** koffi, the native module through which C libraries are called. It takes some 8 ms to load. */
import { createRequire } from 'node:module';
import { TsbuildError } from '../errors.ts';

/** @throws TsbuildError `UNSUPPORTED_HOST` if it is not there. */
export function loadKoffi(): typeof import('koffi') {
  try {
    return createRequire(import.meta.url)('koffi');
  } catch (cause) {
    throw new TsbuildError('UNSUPPORTED_HOST', 'load koffi, through which system calls are made', {
      cause,
      hint: `koffi has no binary for ${process.platform}-${process.arch}, or was not installed`,
    });
  }
}
