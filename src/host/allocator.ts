/**
 * The memory of the C library. glibc gives large blocks straight back to the kernel when they are freed, but with each one
 * raises the size from which on it does: a process that moves gigabytes in pieces of some 100 KiB ends with tens of megabytes
 * that nobody uses. Setting the size once stops that (mallopt(3), "M_MMAP_THRESHOLD").
 */
import { loadKoffi } from './koffi.ts';

const M_MMAP_THRESHOLD = -3;
const THRESHOLD = 128 * 1024;

/** For all threads of the process. Loads a native module (8 ms); where there is no such call, nothing happens. */
export function returnFreedMemory(): void {
  try {
    loadKoffi().load(null).func('int mallopt(int, int)')(M_MMAP_THRESHOLD, THRESHOLD);
  } catch {
    // Another C library, or none that can be called: it is only about memory that could be used better.
  }
}
