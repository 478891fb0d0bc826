/**
 * koffi, the native module through which C libraries are called. Its binary takes a millisecond to load, and its own way to
 * find it six more, so that is left for where the binary is not in its usual place, or not for this C library.
 */
import { createRequire } from 'node:module';
import { TsbuildError } from '../errors.ts';

/** What koffi does without what it adds in JavaScript, which is deprecated. */
export type Koffi = Pick<typeof import('koffi'), 'load' | 'errno' | 'address' | 'version'>;

/** @throws TsbuildError `UNSUPPORTED_HOST` if it is not there. */
export function loadKoffi(): Koffi {
  const load = createRequire(import.meta.url);
  const { platform, arch } = process;
  try {
    return load(`@koromix/koffi-${platform}-${arch}/${platform}_${arch}/koffi.node`);
  } catch {
    return loadByItself(load);
  }
}

function loadByItself(load: NodeJS.Require): Koffi {
  try {
    return load('koffi');
  } catch (cause) {
    throw new TsbuildError('UNSUPPORTED_HOST', 'load koffi, through which system calls are made', {
      cause,
      hint: `koffi has no binary for ${process.platform}-${process.arch}, or was not installed`,
    });
  }
}
