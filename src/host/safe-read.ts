/** How files are opened for reading that lie where others may write. */
import { constants } from 'node:fs';

/** What was a file when it was listed may have become a symlink to elsewhere, or a fifo that nobody writes to. */
export const SAFE_READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
