import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { shareMounts } from '../../src/executor/own-mounts.ts';
import { MNT_DETACH, mount, umount } from '../../src/host/syscalls.ts';
import { prepareMountable } from '../../src/layer/mountable.ts';
import { lockedFlags } from '../../src/runtime/mounts.ts';
import { createOverlaySnapshotter, probeOverlay } from '../../src/snapshot/overlay.ts';
import { type SnapshotterInTest, snapshotterContract } from '../contract/snapshotter.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { enterPrivateMounts } from '../layer/private-mounts.ts';

enterPrivateMounts();

const inDirectories: SnapshotterInTest['lowerOf'] = ({ home }, layer) =>
  prepareMountable(layer, { home, forms: ['directory'], rootless: false }).lower;

snapshotterContract('overlayfs', (places) => ({
  snapshots: createOverlaySnapshotter({ ...places, userXattr: false }),
  lowerOf: inDirectories,
}));

snapshotterContract('overlayfs, seen elsewhere,', (places) => {
  const roots = tempDirectory();
  return {
    snapshots: createOverlaySnapshotter({ ...places, roots, userXattr: false }),
    lowerOf: inDirectories,
  };
});

function placesIn(home: string) {
  const places = { directory: join(home, 'snapshots'), trash: join(home, 'trash') };
  mkdirSync(places.directory);
  return { ...places, userXattr: false };
}

/** A process that has been in a mount namespace of its own since before. */
function inOtherMounts() {
  const args = ['--mount', '--propagation', 'slave', '--', 'sh', '-c', 'echo; read -r _'];
  const child = spawn('unshare', args, { stdio: 'pipe' });
  return {
    started: once(child.stdout, 'data'),
    mounts: () => readFileSync(`/proc/${child.pid}/mountinfo`, 'utf8'),
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  };
}

describe('overlayfs', () => {
  it.each([
    ['nothing', 0, ['nodev'], 'prepare'],
    ['a layer', 1, ['nodev'], 'prepare'],
    ['nothing', 0, ['ro', 'nodev'], 'view'],
    ['a layer', 1, ['ro', 'nodev'], 'view'],
  ] as const)(
    'shows a root of %s (%i) in other namespaces as %j',
    async (_, count, flags, kind) => {
      const home = tempDirectory();
      const roots = join(home, 'roots');
      shareMounts(roots);
      onTestFinished(() => umount(roots, MNT_DETACH));
      const lower = join(home, 'lower');
      mkdirSync(lower);
      const snapshots = createOverlaySnapshotter({ ...placesIn(home), roots });
      using other = inOtherMounts();
      await other.started;
      const snapshot = snapshots[kind]('s', [lower].slice(0, count));
      expect(other.mounts()).toContain(snapshot.root);
      expect(lockedFlags(snapshot.root, other.mounts())).toEqual(
        expect.arrayContaining([...flags]),
      );
      snapshots.remove(snapshot);
      expect(other.mounts()).not.toContain(snapshot.root);
      expect(readdirSync(roots)).toEqual([]);
    },
  );

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
