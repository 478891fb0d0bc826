/** Files that are there whole or not at all, whatever dies while they are written. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

export interface AtomicOptions {
  /** Permission bits before the umask; 0o644 by default. */
  readonly mode?: number;
  /** Where the temporary file lies until it is renamed, on the same filesystem; beside the file by default. */
  readonly tempDirectory?: string;
  /** The temporary file itself, instead: a path that nobody else uses, and whose owner a sweep can tell. */
  readonly tempFile?: string;
  /** Wait until the bytes are on the disk: for what a crash of the machine must not take away. */
  readonly durable?: boolean;
}

/**
 * Writes a file under a temporary name and renames it into place, replacing what is there. After an error nothing is
 * left behind; after `kill -9` at most a temporary file, `.<name>.<random>`. Throws the system's own error.
 */
export function writeFileAtomic(
  file: string,
  bytes: string | Uint8Array,
  options: AtomicOptions = {},
): void {
  const name = `.${path.basename(file)}.${randomBytes(6).toString('hex')}`;
  const temp = options.tempFile ?? path.join(options.tempDirectory ?? path.dirname(file), name);
  try {
    // `wx`: never through a symlink that someone else has put there.
    const fd = fs.openSync(temp, 'wx', options.mode ?? 0o644);
    try {
      fs.writeFileSync(fd, bytes);
      if (options.durable) fs.fdatasyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(temp, file);
  } catch (error) {
    fs.rmSync(temp, { force: true });
    throw error;
  }
}
