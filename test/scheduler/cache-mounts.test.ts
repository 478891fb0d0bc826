import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CacheMount, RunMount, RunOp } from '../../src/graph/step.ts';
import { locateCaches } from '../../src/scheduler/cache-mounts.ts';
import type { StepContext } from '../../src/scheduler/handler.ts';
import type { MountEnvironment } from '../../src/scheduler/mounts.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const cache = (id: string, options: Partial<CacheMount> = {}): RunMount => ({
  ...{ type: 'cache', id, target: '/c', source: '', sharing: 'shared', readonly: false },
  ...{ mode: 0o755, uid: 0, gid: 0 },
  ...options,
});

/** Locates the caches of a step, and gives them to `use` while they are held. */
async function withCaches<T>(
  cacheMounts: string,
  mounts: readonly RunMount[],
  use: (directories: string[]) => T,
): Promise<T> {
  const { signal } = new AbortController();
  const context = { step: { op: { mounts } }, inputs: [], signal };
  const releases: AsyncDisposable[] = [];
  try {
    const located = await locateCaches(
      context as unknown as StepContext<RunOp>,
      { cacheMounts } as MountEnvironment,
      releases,
    );
    return await use(mounts.map((mount) => basename(located.get(mount)!.directory)));
  } finally {
    for (const release of releases) await release[Symbol.asyncDispose]();
  }
}

describe('the caches of a step', () => {
  it.each<[string, CacheMount['sharing'][]]>([
    ['two locked', ['locked', 'locked']],
    ['two private', ['private', 'private']],
    ['one locked, one private', ['private', 'locked']],
    ['one shared, one locked', ['shared', 'locked']],
    ['one shared, one private', ['shared', 'private']],
  ])('are one directory if they are one cache: %s', async (_what, sharings) => {
    const mounts = sharings.map((sharing) => cache('a', { sharing }));
    await withCaches(tempDirectory(), mounts, ([one, other]) => expect(one).toBe(other));
  });

  it('differ by what they began with', async () => {
    const mounts = [cache('a'), cache('b'), cache('a', { uid: 5 }), cache('a', { mode: 0o700 })];
    await withCaches(tempDirectory(), mounts, (directories) =>
      expect(new Set(directories).size).toBe(4),
    );
  });

  it('are locked in one order, so that no two steps wait for each other', async () => {
    const home = tempDirectory();
    const locked = ['a', 'b', 'c'].map((id) => cache(id, { sharing: 'locked' }));
    let holders = 0;
    const step = (mounts: readonly RunMount[]) =>
      withCaches(home, mounts, async () => {
        holders += 1;
        expect(holders).toBe(1);
        await Promise.resolve();
        holders -= 1;
      });
    await Promise.all([locked, locked.toReversed(), locked, locked.toReversed()].map(step));
  });

  it('are apart if they are private and another step holds the first', async () => {
    const home = tempDirectory();
    const mount = [cache('a', { sharing: 'private' })];
    await withCaches(home, mount, ([first]) =>
      withCaches(home, mount, ([second]) => expect(second).not.toBe(first)),
    );
  });

  it('are refused a source that nothing is given to take it from', async () => {
    await expect(
      withCaches(tempDirectory(), [cache('a', { source: 'dir' })], () => {}),
    ).rejects.toMatchObject({ code: 'COPY_SOURCE' });
  });
});
