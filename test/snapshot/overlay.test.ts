import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MNT_DETACH, mount, umount } from '../../src/host/syscalls.ts';
import { prepareMountable } from '../../src/layer/mountable.ts';
import { createOverlaySnapshotter, probeOverlay } from '../../src/snapshot/overlay.ts';
import { snapshotterContract } from '../contract/snapshotter.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { enterPrivateMounts } from '../layer/private-mounts.ts';

enterPrivateMounts();

snapshotterContract('overlayfs', (places) => ({
  snapshots: createOverlaySnapshotter({ ...places, userXattr: false }),
  lowerOf: ({ home }, layer) =>
    prepareMountable(layer, { home, forms: ['directory'], rootless: false }).lower,
}));

describe('overlayfs', () => {
  const placesIn = (home: string) => {
    const places = { directory: join(home, 'snapshots'), trash: join(home, 'trash') };
    mkdirSync(places.directory);
    return { ...places, userXattr: false };
  };

  it('stacks as many layers as Linux allows, and says so of more', () => {
    const home = tempDirectory();
    const snapshots = createOverlaySnapshotter(placesIn(home));
    const lowers = Array.from({ length: 501 }, (_, number) => {
      const lower = join(home, `a-rather-long-name-for-a-directory-${number}`);
      mkdirSync(lower);
      writeFileSync(join(lower, `file-${number}`), '');
      return lower;
    });
    const snapshot = snapshots.prepare('s', lowers.slice(0, 500));
    expect(readdirSync(snapshot.root)).toHaveLength(500);
    snapshots.remove(snapshot);
    expect(() => snapshots.prepare('t', lowers)).toThrow('at most 500');
    expect(readdirSync(join(home, 'snapshots'))).toEqual(['.lowers']);
  });

  it('is known to work where it does, and not to where it does not', () => {
    const home = tempDirectory();
    expect(probeOverlay(placesIn(home))).toBe(undefined);
    const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => {
      mkdirSync(join(home, name));
      return join(home, name);
    });
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    mount('overlay', merged!, 'overlay', 0, options);
    try {
      expect(probeOverlay(placesIn(merged!))).toBeInstanceOf(Error);
    } finally {
      umount(merged!, MNT_DETACH);
    }
  });
});
