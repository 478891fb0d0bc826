/** The directory of a cache mount. It is made here, since only here may its owner be anybody. */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { errnoOf, TsbuildError } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import type { LayersView } from './container-mounts.ts';
import { locateInside } from './mount-points.ts';
import type { ExecMount } from './protocol.ts';

type CacheMount = Extract<ExecMount, { type: 'cache' }>;

export interface CacheSources {
  readonly mountLayers: (view: LayersView) => string;
  /** Where `cp` is found. */
  readonly searchPath: string;
}

/** Makes the cache if there is none: whole or not at all, and another step's if that one was first. */
export function makeCache(mount: CacheMount, sources: CacheSources): void {
  if (existsSync(mount.source)) return;
  const fresh = `${mount.source}.${process.hrtime.bigint()}.new`;
  try {
    if (mount.seed === undefined) {
      mkdirSync(fresh);
      chownSync(fresh, mount.uid, mount.gid);
      // As in the engine, whose umask is 022 and which knows no sticky bit here.
      chmodSync(fresh, mount.mode & 0o755);
    } else copySeed(mount.seed, fresh, sources);
    renameSync(fresh, mount.source);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    const isTaken = errnoOf(error) === 'ENOTEMPTY' || errnoOf(error) === 'EEXIST';
    if (!isTaken) throw diskError(error, `make cache mount ${mount.source}`);
  }
}

/** With owners, modes, links and times, those of the directory itself included. It may be a file, too. */
function copySeed(
  seed: NonNullable<CacheMount['seed']>,
  to: string,
  { mountLayers, searchPath }: CacheSources,
): void {
  const found = locateInside(mountLayers({ layers: seed.layers, readonly: true }), seed.path);
  if (found === undefined) {
    throw new TsbuildError('NOT_FOUND', `cache mount: no /${seed.path} to begin with`);
  }
  const entries = ['-aT', '--', found.file, to];
  const env = { PATH: searchPath };
  const { status, error, stderr } = spawnSync('cp', entries, { encoding: 'utf8', env });
  if (error !== undefined || status !== 0) {
    throw new TsbuildError('EXECUTOR', `fill cache mount: ${error?.message ?? stderr.trim()}`, {
      cause: error,
    });
  }
}
