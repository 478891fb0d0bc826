/**
 * Which OCI runtime runs a container: crun, which starts one in a fifth of runc's time; but runc, if it is there, where the
 * container has a terminal, because crun (1.8) passes no change of its size on.
 */
import { TsbuildError } from '../errors.ts';
import { findExecutable } from '../host/process.ts';

export interface RuntimeChoice {
  readonly name: RuntimeName;
  readonly file: string;
}

export type RuntimeName = (typeof RUNTIMES)[number];

/** The better one first. */
const RUNTIMES = ['crun', 'runc'] as const;
const FOR_TERMINALS = ['runc', 'crun'] as const;

/**
 * `wanted` is a name, or nothing.
 * @throws TsbuildError `USAGE` for an unknown name, `UNSUPPORTED_HOST` if there is none
 */
export function chooseRuntime(
  searchPath: string,
  wanted = '',
  { terminal = false } = {},
): RuntimeChoice {
  if (wanted !== '' && !RUNTIMES.some((name) => name === wanted))
    throw new TsbuildError('USAGE', `TSBUILD_RUNTIME is no known runtime: ${wanted}`, {
      hint: `set it to ${RUNTIMES.join(' or ')}`,
    });
  for (const name of terminal ? FOR_TERMINALS : RUNTIMES) {
    if (wanted !== '' && wanted !== name) continue;
    const file = findExecutable(name, searchPath);
    if (file !== undefined) return { name, file };
  }
  const missing = wanted === '' ? RUNTIMES.join(' or ') : wanted;
  throw new TsbuildError('UNSUPPORTED_HOST', `run a container: there is no ${missing}`, {
    hint: `install it, for instance with: apt-get install ${wanted === '' ? RUNTIMES[0] : wanted}`,
  });
}
