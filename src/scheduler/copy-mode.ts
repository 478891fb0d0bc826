/**
 * `--chmod`: an octal number, or symbols as chmod(1) has them, by the rules of BSD's setmode(3), which the engine uses:
 * https://man.freebsd.org/cgi/man.cgi?query=chmod&sektion=1. Without a `who`, `a` is meant, whatever the umask.
 */
import { TsbuildError } from '../errors.ts';

export interface Chmod {
  /** The mode of what had `mode` before. */
  apply(mode: number, isDirectory: boolean): number;
  /** Whether the old mode plays no part. */
  readonly isAbsolute: boolean;
  /** Of directories that have to be made on the way to the destination. */
  readonly created: number;
}

const CREATED_MODE = 0o755;
/** The engine makes them with mkdir(2), so its umask counts, and special bits are lost. */
const ENGINE_UMASK = 0o022;

const ALL_BITS = 0o6777;
const WHO: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o007, a: ALL_BITS };
const PERMISSION: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111 };
/** How far a class's bits are from those of `o`. */
const SHIFT: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };

/** What `--chmod` leaves alone: everything. */
export const NO_CHMOD: Chmod = { apply: (mode) => mode, isAbsolute: false, created: CREATED_MODE };

/** @throws TsbuildError `DOCKERFILE_PARSE` */
export function parseChmod(text: string): Chmod {
  if (text === '') return NO_CHMOD;
  if (/^[0-7]+$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    if (mode > 0o7777) throw invalid(text, 'must be octal and at most 07777');
    return { apply: () => mode, isAbsolute: true, created: mode & 0o777 & ~ENGINE_UMASK };
  }
  if (/^[0-9]/.test(text)) throw invalid(text, 'must be octal and at most 07777');
  const clauses = text.split(',').map((clause) => parseClause(clause, text));
  return {
    isAbsolute: false,
    created: CREATED_MODE,
    apply: (mode, isDirectory) =>
      clauses.reduce((result, change) => change(result, mode, isDirectory), mode),
  };
}

type Change = (mode: number, original: number, isDirectory: boolean) => number;

function parseClause(clause: string, text: string): Change {
  const parts = /^([ugoa]*)((?:[-+=][rwxXstugo]*)+)$/.exec(clause);
  if (parts === null) throw invalid(text, `does not understand ${JSON.stringify(clause)}`);
  const [, who = '', actions = ''] = parts;
  const changes = [...actions.matchAll(/([-+=])([rwxXstugo]*)/g)].flatMap(
    ([, operator = '', permissions = '']) => parseAction(who, operator, permissions),
  );
  return (mode, original, isDirectory) =>
    changes.reduce((result, change) => change(result, original, isDirectory), mode);
}

/** Bits that are named are collected; a class to copy from flushes them, as in setmode(3). */
function parseAction(who: string, operator: string, permissions: string): Change[] {
  const onlyOther = /^o+$/.test(who);
  const changes: Change[] = [];
  let target = [...(who === '' ? 'a' : who)].reduce((bits, name) => bits | WHO[name]!, 0);
  let bits = 0;
  let isSet = false;
  const flush = (): void => {
    const [value, mask] = [bits, target];
    changes.push((mode) => combine(mode, operator, value & mask, mask));
    isSet = true;
    bits = 0;
  };
  let execute = false;
  for (const permission of permissions) {
    if (permission === 'X') execute = true;
    else if (permission === 's') bits |= onlyOther ? 0 : 0o6000;
    else if (permission === 't') {
      if (!onlyOther) [target, bits] = [target | 0o1000, bits | 0o1000];
    } else if (permission in PERMISSION) bits |= PERMISSION[permission]!;
    else {
      if (bits !== 0) flush();
      changes.push(copyClass(permission, operator, target));
      isSet = true;
    }
  }
  if (bits !== 0 || (operator === '=' && !isSet)) flush();
  if (execute) changes.push(addExecute(operator, target));
  return changes;
}

function combine(mode: number, operator: string, value: number, target: number): number {
  if (operator === '-') return mode & ~value;
  return (operator === '=' ? mode & ~target : mode) | value;
}

function copyClass(from: string, operator: string, target: number): Change {
  return (mode) => {
    const bits = (mode >> SHIFT[from]!) & 7;
    return combine(mode, operator, (bits * 0o111) & target, target & 0o777);
  };
}

/** `X`: what is a directory or was executable for anybody. */
function addExecute(operator: string, target: number): Change {
  return (mode, original, isDirectory) => {
    if (!isDirectory && (original & 0o111) === 0) return mode;
    return combine(mode, operator === '-' ? '-' : '+', 0o111 & target, target);
  };
}

function invalid(text: string, why: string): TsbuildError {
  return new TsbuildError('DOCKERFILE_PARSE', `--chmod=${text}: ${why}`, {
    hint: 'Use an octal mode such as 755, or symbols such as u=rwX,go=rX.',
  });
}
