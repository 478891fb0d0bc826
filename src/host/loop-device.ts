/**
 * Loop devices: files as block devices, for kernels that can mount only those.
 * https://man7.org/linux/man-pages/man4/loop.4.html
 */
import { closeSync, openSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { ioctl } from './syscalls.ts';

/** Two processes may be given the same free device; the slower one asks again. */
const ATTEMPTS = 50;

const LOOP_CTL_GET_FREE = 0x4c82;
/** Of Linux 5.8, and without the races of LOOP_SET_FD. */
const LOOP_CONFIGURE = 0x4c0a;
const LO_FLAGS_READ_ONLY = 1;
const LO_FLAGS_AUTOCLEAR = 4;

/** `struct loop_config`: a file descriptor, a block size, a `struct loop_info64`, room. */
const CONFIG_SIZE = 304;
const INFO_OFFSET = 8;
const FLAGS_OFFSET = INFO_OFFSET + 52;

/**
 * Calls `use` with the paths of read-only block devices that show `files`, and returns what it returns. The kernel
 * takes the devices back when the last user is gone: at once, or with the mount that `use` has made of them.
 */
export function withLoopDevices<T>(
  files: readonly string[],
  use: (devices: readonly string[]) => T,
): T {
  const devices: { readonly path: string; readonly fd: number }[] = [];
  try {
    for (const file of files) devices.push(attach(file));
    return use(devices.map(({ path }) => path));
  } finally {
    for (const { fd } of devices) closeSync(fd);
  }
}

function attach(file: string): { path: string; fd: number } {
  const backing = openSync(file, 'r');
  try {
    for (let attempt = 1; ; attempt += 1) {
      const path = `/dev/loop${freeNumber()}`;
      const fd = openSync(path, 'r');
      try {
        ioctl(fd, LOOP_CONFIGURE, loopConfig(backing));
        return { path, fd };
      } catch (error) {
        closeSync(fd);
        if (errnoOf(error) !== 'EBUSY' || attempt === ATTEMPTS) throw error;
      }
    }
  } finally {
    closeSync(backing);
  }
}

function freeNumber(): number {
  const control = openSync('/dev/loop-control', 'r+');
  try {
    return ioctl(control, LOOP_CTL_GET_FREE);
  } finally {
    closeSync(control);
  }
}

function loopConfig(backing: number): Buffer {
  const config = Buffer.alloc(CONFIG_SIZE);
  config.writeUInt32LE(backing, 0);
  config.writeUInt32LE(512, 4);
  config.writeUInt32LE(LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR, FLAGS_OFFSET);
  return config;
}
