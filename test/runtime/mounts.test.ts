import { describe, expect, it } from 'vitest';
import { lockedFlags } from '../../src/runtime/mounts.ts';

describe('the flags that a bind mount keeps', () => {
  const MOUNTS = [
    '22 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
    '23 22 0:20 / /tmp rw,nosuid,nodev - tmpfs tmpfs rw',
    '24 23 0:21 / /tmp/in ro,noexec,noatime - tmpfs tmpfs rw',
    '25 22 0:22 / /with\\040space rw,nodev - tmpfs tmpfs rw',
    '26 23 0:23 / /tmp/in rw,nosuid - tmpfs tmpfs rw',
  ].join('\n');

  it.each([
    ['/', ['relatime']],
    ['/etc', ['relatime']],
    ['/tmp', ['nosuid', 'nodev']],
    ['/tmp/x/y', ['nosuid', 'nodev']],
    ['/tmpfile', ['relatime']],
    ['/with space/x', ['nodev']],
  ])('for %s are those of the mount that it lies on', (path, flags) => {
    expect(lockedFlags(path, MOUNTS)).toEqual(flags);
  });

  it('are those of the mount on top, where there are two', () => {
    expect(lockedFlags('/tmp/in/x', MOUNTS)).toEqual(['nosuid']);
  });
});
