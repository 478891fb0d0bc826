/**
 * Moves the main thread into a mount namespace of its own: what it mounts from then on, nobody else sees, and it is
 * gone when the test's process ends, however that ends. For the first line of a test file; vitest gives each file a
 * process.
 */
import { createRequire } from 'node:module';
import { MS_PRIVATE, MS_REC, mount } from '../../src/host/syscalls.ts';

const CLONE_NEWNS = 0x20000;

export function enterPrivateMounts(): void {
  const koffi = createRequire(import.meta.url)('koffi');
  if (koffi.load(null).func('int unshare(int flags)')(CLONE_NEWNS) !== 0) {
    throw new Error('these tests must mount, and so need root');
  }
  mount('', '/', '', MS_REC | MS_PRIVATE);
}
