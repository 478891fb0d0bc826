/**
 * Users and groups of an image, by its own `/etc/passwd` and `/etc/group`, as the engine resolves them. USER and `--user`
 * follow one set of rules, `--chown` another, more lenient one; both are kept as they are.
 */
import { TsbuildError } from '../errors.ts';
import { decodeName } from '../host/path-bytes.ts';
import type { FileTree } from './file-tree.ts';
import { readTreeFile } from './read-file.ts';
import { resolvePath } from './resolve.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface User extends Owner {
  /** Supplementary groups. The primary one is among them, so that a process cannot drop it to escape a `---` on it. */
  readonly additionalGids: readonly number[];
  /** What the image's entry for the uid says, `/` without one. */
  readonly home: string;
}

/** Nobody's tables come near; a hostile image's may. */
const MAX_BYTES = 16 * 1024 * 1024;
/** What the engine holds to be an id. */
const MAX_ID = 0x7fffffff;

/**
 * Who `USER spec` is: `name`, `uid`, `name:group`, `uid:gid`, …; '' is root. Names must exist. A number needs no entry,
 * but the group, home and supplementary groups of one are used.
 * @throws TsbuildError `NOT_FOUND` naming the user or group.
 */
export function resolveUser(tree: FileTree, spec: string): User {
  const [name, group] = splitSpec(spec);
  const users = readUsers(tree);
  const id = name === '' ? 0 : parseId(name);
  const user = users.find((entry) => (id === undefined ? entry.name === name : entry.id === id));
  const uid = user?.id ?? id;
  if (uid === undefined) throw unknown('user', name, spec, tree);
  const gid = group === '' ? (user?.gid ?? 0) : findGroup(tree, group, spec);
  const maximum = id !== undefined && parseId(group) !== undefined ? 0xffffffff : MAX_ID;
  if (Math.min(uid, gid) < 0 || Math.max(uid, gid) > maximum) {
    throw new TsbuildError('NOT_FOUND', `look up user ${spec}: ids must be from 0 to ${MAX_ID}`);
  }
  // A group that is asked for stands alone; without one, the user has those that list him.
  const memberOf =
    group === '' && user !== undefined
      ? readGroups(tree).filter(({ members }) => members.includes(user.name))
      : [];
  return {
    uid,
    gid,
    additionalGids: [...new Set([gid, ...memberOf.map((entry) => entry.id)])],
    home: users.find((entry) => entry.id === uid)?.home ?? '/',
  };
}

/**
 * Who owns what `--chown=spec` copies. A number is its own group too; a user who does not exist is 0, a group that does
 * not exist leaves the user's. `tree` is the stage's; `undefined` if it has no files at all (`FROM scratch`).
 * @throws TsbuildError `NOT_FOUND` for a name other than root's when there is nothing to look it up in.
 */
export function resolveOwner(tree: FileTree | undefined, spec: string): Owner {
  const [name, group] = splitSpec(spec);
  const hasGroup = spec.includes(':');
  const id = parseOwnerId(name);
  const groupId = parseOwnerId(group);
  if (tree === undefined) {
    const uid = id ?? rootId(name, spec);
    return { uid, gid: hasGroup ? (groupId ?? rootId(group, spec)) : uid };
  }
  const user = id === undefined ? readUsers(tree).find((entry) => entry.name === name) : undefined;
  const uid = id ?? user?.id ?? 0;
  const ownGid = id ?? user?.gid ?? 0;
  if (!hasGroup) return { uid, gid: ownGid };
  if (group === '') return { uid, gid: 0 };
  const named = groupId ?? readGroups(tree).find((entry) => entry.name === group)?.id;
  return { uid, gid: named ?? ownGid };
}

/** Without any files root is still known. */
function rootId(name: string, spec: string): number {
  if (name === '' || name === 'root') return 0;
  throw new TsbuildError('NOT_FOUND', `look up owner ${spec}: the stage has no files yet`, {
    hint: 'Use numeric ids: a stage FROM scratch has no /etc/passwd.',
  });
}

function splitSpec(spec: string): [name: string, group: string] {
  const colon = spec.indexOf(':');
  return colon < 0 ? [spec, ''] : [spec.slice(0, colon), spec.slice(colon + 1)];
}

function parseId(text: string): number | undefined {
  return /^[+-]?[0-9]+$/.test(text) ? Number(text) : undefined;
}

/** Here what is no id is taken for a name. */
function parseOwnerId(text: string): number | undefined {
  const id = parseId(text);
  return id !== undefined && id >= 0 && id <= MAX_ID ? id : undefined;
}

function findGroup(tree: FileTree, group: string, spec: string): number {
  const id = parseId(group);
  if (id !== undefined) return id;
  const found = readGroups(tree).find((entry) => entry.name === group);
  if (found === undefined) throw unknown('group', group, spec, tree);
  return found.id;
}

function unknown(kind: 'user' | 'group', name: string, spec: string, tree: FileTree): TsbuildError {
  const file = kind === 'user' ? 'etc/passwd' : 'etc/group';
  const exists = resolvePath(tree, file, { followLast: true }).node !== undefined;
  return new TsbuildError('NOT_FOUND', `look up user ${spec}: no ${kind} ${name} in /${file}`, {
    hint: exists
      ? `Create the ${kind} in an earlier RUN, or use a numeric id.`
      : `Use a numeric id: the image has no /${file}.`,
  });
}

interface PasswdEntry {
  readonly name: string;
  readonly id: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly id: number;
  readonly members: readonly string[];
}

function readUsers(tree: FileTree): readonly PasswdEntry[] {
  return readTable(tree, 'etc/passwd').map((fields) => ({
    name: fields[0] ?? '',
    id: toNumber(fields[2]),
    gid: toNumber(fields[3]),
    home: fields[5] ?? '',
  }));
}

function readGroups(tree: FileTree): readonly GroupEntry[] {
  return readTable(tree, 'etc/group').map((fields) => ({
    name: fields[0] ?? '',
    id: toNumber(fields[2]),
    members: (fields[3] ?? '').split(',').filter((name) => name !== ''),
  }));
}

/** As the engine: a field that is no number counts as 0. */
function toNumber(field: string | undefined): number {
  return parseId(field ?? '') ?? 0;
}

/** The lines of a colon-separated file; none if it does not exist. */
function readTable(tree: FileTree, path: string): readonly (readonly string[])[] {
  const { node } = resolvePath(tree, path, { followLast: true });
  if (node?.type !== 'file') return [];
  return decodeName(readTreeFile(node, MAX_BYTES))
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => line.split(':'));
}
