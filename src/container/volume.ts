/**
 * Docker's `--volume`: `source:target[:options]`. https://docs.docker.com/reference/cli/docker/container/run/#volume
 */
import { isAbsolute, posix, resolve } from 'node:path';
import { TsbuildError } from '../errors.ts';
import type { ExecMount } from '../executor/protocol.ts';

/** Asked for by people whose machines need them; here they change nothing. */
const IGNORED = new Set(['z', 'Z', 'cached', 'delegated', 'consistent', 'nocopy', 'rw', 'ro']);
const PROPAGATION = new Set(['private', 'rprivate', 'slave', 'rslave', 'shared', 'rshared']);

/**
 * A directory or file of the host, absolute or, beginning with a dot, relative to `cwd`.
 * @throws TsbuildError `USAGE` saying which part is wrong
 */
export function parseVolume(text: string, cwd: string): Extract<ExecMount, { type: 'bind' }> {
  const fail = (
    why: string,
    hint = 'write it as /on/this/machine:/in/the/container[:ro]',
  ): never => {
    throw new TsbuildError('USAGE', `volume ${JSON.stringify(text)}: ${why}`, { hint });
  };
  const [source = '', target = '', modes = '', ...rest] = text.split(':');
  if (rest.length > 0) fail('it has too many parts');
  if (source === '' || target === '') fail('source or target is missing');
  if (!isAbsolute(target)) fail(`${target} is not an absolute path`);
  if (posix.normalize(target) === '/') fail('nothing can be mounted over the root');
  if (!isAbsolute(source) && !/^\.{1,2}(\/|$)/.test(source)) {
    fail(
      `${source} is not a path`,
      'named volumes are not supported yet; a path begins with / or .',
    );
  }
  const options = modes.split(',').filter((mode) => mode !== '');
  for (const option of options) {
    if (!IGNORED.has(option) && !PROPAGATION.has(option)) fail(`unknown option ${option}`);
  }
  const propagation = options.find((option) => PROPAGATION.has(option));
  return {
    type: 'bind',
    source: resolve(cwd, source),
    target: posix.normalize(target).replace(/\/$/, ''),
    readonly: options.includes('ro'),
    ...(propagation === undefined ? {} : { propagation }),
  };
}
