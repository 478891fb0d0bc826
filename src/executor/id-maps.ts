/**
 * The ids of a user namespace: its root is the user, and the ids from 1 on are those that the administrator has given
 * the user in /etc/subuid and /etc/subgid. https://man7.org/linux/man-pages/man5/subuid.5.html
 */
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { TsbuildError } from '../errors.ts';

export interface IdMap {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

export interface IdMaps {
  readonly uid: readonly IdMap[];
  readonly gid: readonly IdMap[];
}

/** Images have files of any id up to this one, `nobody`'s group in most. */
const NEEDED = 65535;

/** @throws TsbuildError `UNSUPPORTED_HOST` if the user has too few ids. */
export function readIdMaps(): IdMaps {
  const { username, uid, gid } = userInfo();
  return {
    uid: idMap('/etc/subuid', { username, uid, own: uid }),
    gid: idMap('/etc/subgid', { username, uid, own: gid }),
  };
}

export interface User {
  readonly username: string;
  readonly uid: number;
  /** The user's own id of the kind that the file is about. */
  readonly own: number;
}

export function idMap(file: string, user: User): IdMap[] {
  const maps: IdMap[] = [{ inside: 0, outside: user.own, count: 1 }];
  let inside = 1;
  for (const { start, count } of parseRanges(readText(file), user)) {
    maps.push({ inside, outside: start, count });
    inside += count;
  }
  if (inside > NEEDED) return maps;
  const found = inside === 1 ? 'no range of ids' : `only ${inside - 1} ids`;
  throw new TsbuildError(
    'UNSUPPORTED_HOST',
    `run without root: ${file} has ${found} for ${user.username}`,
    {
      hint: `as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user.username}`,
    },
  );
}

/** The ranges of a user, who may be named or numbered. */
export function parseRanges(
  text: string,
  user: Pick<User, 'username' | 'uid'>,
): { readonly start: number; readonly count: number }[] {
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([name]) => name === user.username || name === String(user.uid))
    .map(([, start, count]) => ({ start: Number(start), count: Number(count) }))
    .filter(({ start, count }) => Number.isSafeInteger(start) && count > 0);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
