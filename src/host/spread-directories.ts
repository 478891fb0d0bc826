/**
 * Tells ext4 that the directories in one have nothing to do with each other (`chattr +T`, ext4(5)), so that it puts each into
 * another part of the disk. Where files were deleted by the thousand, ext4 is slow for minutes to make new ones, above all
 * without a journal: a copy of 8,000 files takes 1.3 s instead of 0.2 s there.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { ioctl } from './syscalls.ts';

/** For directories that are yet to be made in `directory`. Other filesystems need nothing, and are left alone. */
export function spreadDirectories(directory: string): void {
  try {
    const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const flags = new Uint32Array(2);
      const bytes = new Uint8Array(flags.buffer);
      ioctl(fd, FS_IOC_GETFLAGS, bytes);
      flags[0]! |= FS_TOPDIR_FL;
      ioctl(fd, FS_IOC_SETFLAGS, bytes);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

/** linux/fs.h, for machines whose `long` has 64 bits. */
const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;
const FS_TOPDIR_FL = 0x00020000;
