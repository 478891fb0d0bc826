import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { withLoopDevices } from '../../src/host/loop-device.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

describe('loop devices', () => {
  it('show files as block devices while they are used, and are gone after', async () => {
    const files = ['a', 'b'].map((name) => join(tempDirectory(), name));
    for (const file of files) writeFileSync(file, Buffer.alloc(1024, file));
    const used = withLoopDevices(files, (devices) => {
      expect(devices.map((device) => readFileSync(device))).toEqual(
        files.map((file) => readFileSync(file)),
      );
      expect(backingFiles()).toEqual(expect.arrayContaining(files));
      return devices;
    });
    expect(new Set(used).size).toBe(2);
    await expectGone(files);
  });

  it('are gone too when their use fails, or a file is missing', async () => {
    const file = join(tempDirectory(), 'file');
    writeFileSync(file, Buffer.alloc(512));
    const fail = () => {
      throw new Error('use');
    };
    expect(() => withLoopDevices([file], fail)).toThrow('use');
    expect(() => withLoopDevices([file, `${file}.missing`], fail)).toThrow('ENOENT');
    await expectGone([file]);
  });
});

/** udev may look at a new device, and then is its last user. */
async function expectGone(files: readonly string[]): Promise<void> {
  await vi.waitFor(
    () => expect(backingFiles().filter((file) => files.includes(file))).toEqual([]),
    10_000,
  );
}

function backingFiles(): string[] {
  const devices = readdirSync('/sys/block').filter((name) => basename(name).startsWith('loop'));
  return devices.flatMap((name) => {
    try {
      return [readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8').trim()];
    } catch {
      return [];
    }
  });
}
