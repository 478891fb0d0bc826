import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

/** A directory that is gone when the running test is over. */
export function tempDirectory(parent = os.tmpdir()): string {
  const directory = fs.mkdtempSync(path.join(parent, 'tsbuild-test-'));
  onTestFinished(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}
