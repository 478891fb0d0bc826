/** The home directory: its version, its making, and the temporary directories in it. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { errnoOf, TsbuildError } from '../errors.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { diskError } from '../host/disk-error.ts';
import { emptyIndex, layoutFile } from './layout.ts';
import { createTempArea } from './temp.ts';
import { STORE_VERSION } from './version.ts';

export interface Home {
  readonly home: string;
  readonly content: string;
  path(...parts: string[]): string;
  /** Makes the directories, unless they are there; call before anything is written. */
  prepare(): void;
  tempDir(): string;
  /** A new path under tmp/ for a file. */
  tempFile(): string;
}

/** @throws TsbuildError `STORE` */
export function openHome(directory: string, tempRoot?: string): Home {
  const home = path.resolve(directory);
  const inside = (...parts: string[]) => path.join(home, ...parts);
  let ready = readVersion(home);
  const prepare = () => {
    if (!ready) makeHome(home);
    ready = true;
  };
  const temp = createTempArea(tempRoot ?? inside('tmp'));
  return {
    home,
    content: inside('content'),
    path: inside,
    prepare,
    tempDir() {
      prepare();
      return temp.directory();
    },
    tempFile() {
      prepare();
      return temp.file();
    },
  };
}

/** Whether there is a store; a missing one is made by the first write. */
function readVersion(home: string): boolean {
  let version: string;
  try {
    version = fs.readFileSync(path.join(home, 'version'), 'utf8').trim();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw diskError(error, `open the store ${home}`);
  }
  // A crash of the machine can leave the file empty; it is then written again.
  if (version === '' || version === STORE_VERSION) return version === STORE_VERSION;
  throw new TsbuildError(
    'STORE',
    `open the store ${home}: it has version ${JSON.stringify(version.slice(0, 40))}, this tsbuild knows ${STORE_VERSION}`,
    {
      hint: 'use a newer tsbuild, or another TSBUILD_HOME',
    },
  );
}

/**
 * Every part may exist already: another process may be doing the same, or have died in the middle of it. Only the owner
 * may enter: layers hold setuid programs that no other user must reach (as in CVE-2021-41091 of Moby's store).
 */
function makeHome(home: string): void {
  try {
    makeDirectories(home);
    for (const name of ['content/blobs/sha256', 'layers', 'locks', 'tmp']) {
      fs.mkdirSync(path.join(home, name), { recursive: true, mode: 0o755 });
    }
    createOnce(path.join(home, 'content/oci-layout'), layoutFile());
    createOnce(path.join(home, 'content/index.json'), emptyIndex());
    writeFileAtomic(path.join(home, 'version'), `${STORE_VERSION}\n`, {
      tempDirectory: path.join(home, 'tmp'),
    });
  } catch (error) {
    throw diskError(error, `create the store ${home}`);
  }
}

/** Node's own recursive mkdir never ends where a directory refuses new ones with ENOENT, as /proc and automounters do. */
function makeDirectories(directory: string): void {
  if (fs.existsSync(directory)) return;
  makeDirectories(path.dirname(directory));
  try {
    fs.mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    // Somebody else has made it meanwhile.
    if (errnoOf(error) !== 'EEXIST' || !fs.existsSync(directory)) throw error;
  }
}

/** link(2) rather than rename(2): a file that another process has put there, and perhaps changed since, stays. */
function createOnce(file: string, text: string): void {
  const temp = path.join(
    path.dirname(file),
    '../tmp',
    `${path.basename(file)}.${randomBytes(6).toString('hex')}`,
  );
  try {
    writeFileAtomic(temp, text, { durable: true });
    fs.linkSync(temp, file);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  } finally {
    fs.rmSync(temp, { force: true });
  }
}
