/**
 * koffi, the native module through which C libraries are called. Its binary takes a millisecond to load, and its own way to
 * find it six more, so that is left for where the binary is not in its usual place, or not for this C library.
 */
import { createRequire } from 'node:module';
import { TsbuildError } from '../errors.ts';
import { ownGate, type PassGate } from './native-gate.ts';

/** What koffi does without what it adds in JavaScript, which is deprecated. */
export interface Koffi extends Pick<typeof import('koffi'), 'address' | 'version'> {
  /** Of this thread's last call. */
  readonly errno: () => number;
  /** Throws if there is no such library. */
  readonly load: (path: string | null) => Library;
}

export interface Library {
  /** By its prototype in C. */
  // biome-ignore lint/suspicious/noExplicitAny: what it takes and gives is in a string
  readonly func: (prototype: string) => (...args: any[]) => any;
}

/** @throws TsbuildError `UNSUPPORTED_HOST` if it is not there. */
export function loadKoffi(): Koffi {
  const pass = ownGate();
  return pass === undefined ? loadBinary() : gated(pass(loadBinary), pass);
}

function gated(koffi: Koffi, pass: PassGate): Koffi {
  return {
    version: koffi.version,
    errno: () => pass(() => koffi.errno()),
    address: (value) => pass(() => koffi.address(value)),
    load(path) {
      const library = pass(() => koffi.load(path));
      return {
        func(prototype) {
          const call = pass(() => library.func(prototype));
          return (...args) => pass(() => call(...args));
        },
      };
    },
  };
}

function loadBinary(): Koffi {
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
