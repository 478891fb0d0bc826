/**
 * What took time to find out of this machine, and will be the same for the next executor: kept in `host/` of the
 * store's home, one small file each. Whoever acts on it must stand that it is out of date.
 */
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { errnoOf } from '../errors.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';

/** What `find` says, or said when `circumstances` were the same. Its `undefined` is not kept. */
export function remembered(
  file: string,
  circumstances: string,
  find: () => string | undefined,
): string | undefined {
  const known = readKnown(file, circumstances);
  if (known !== undefined) return known;
  const found = find();
  if (found !== undefined) tryToKeep(file, `${circumstances}\n${found}`);
  return found;
}

/** On which it depends what can be mounted: the kernel, since it started; the disk; and what this process may do. */
export function mountCircumstances(home: string): string {
  const read = (file: string): string => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      // As for the attributes of a security module, where there is none.
      if (errnoOf(error) === undefined) throw error;
      return '';
    }
  };
  const status = read('/proc/self/status').match(/^(CapEff|Seccomp|NoNewPrivs):.*$/gm) ?? [];
  return [
    ...[release(), read('/proc/sys/kernel/random/boot_id'), String(statSync(home).dev)],
    ...[...status, read('/proc/self/uid_map'), read('/proc/self/attr/current')],
  ]
    .join(' ')
    .replace(/[\s\0]+/g, ' ');
}

function readKnown(file: string, circumstances: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
  return text.startsWith(`${circumstances}\n`) ? text.slice(circumstances.length + 1) : undefined;
}

/** A disk that is full, or may not be written, is the business of others. */
function tryToKeep(file: string, text: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileAtomic(file, text);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}
