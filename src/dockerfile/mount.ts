/**
 * `RUN --mount=type=…,…`. Reading goes in two turns, for the values of options may hold variables: when the Dockerfile is
 * read, the form and `from` are checked ({@link checkMountSyntax}, {@link mountFrom}); when the step is planned, its
 * variables known, everything else ({@link parseMount}). A mount in a stage that is not needed is never judged further.
 */
import { posix } from 'node:path';
import { type SourceLocation, TsbuildError } from '../errors.ts';
import { parseByteSize } from './byte-size.ts';
import { parseCsvFields } from './csv.ts';
import { orMeant } from './suggest.ts';
import { SyntaxFault } from './syntax-error.ts';

export type MountSpec = BindMount | CacheMount | TmpfsMount | SecretMount | SshMount;

/** Files of the context, a stage or an image; what is written to them is discarded. */
export interface BindMount {
  readonly type: 'bind';
  /** A stage, image or named context; absent: the build context. */
  readonly from?: string;
  readonly source?: string;
  readonly target: string;
  readonly readonly: boolean;
}

/** A directory that outlives the build. */
export interface CacheMount {
  readonly type: 'cache';
  readonly id: string;
  readonly target: string;
  readonly sharing: 'shared' | 'private' | 'locked';
  /** What an empty cache begins with; absent: nothing. */
  readonly from?: string;
  readonly source?: string;
  readonly readonly: boolean;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

export interface TmpfsMount {
  readonly type: 'tmpfs';
  readonly target: string;
  readonly readonly: boolean;
  /** Bytes; absent: no limit. */
  readonly size?: number;
}

/** A secret as a file, an environment variable, or both. */
export interface SecretMount {
  readonly type: 'secret';
  readonly id: string;
  readonly target?: string;
  readonly env?: string;
  readonly required: boolean;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** The socket of an SSH agent. */
export interface SshMount {
  readonly type: 'ssh';
  readonly id: string;
  readonly target?: string;
  readonly required: boolean;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Checks what can be checked before variables are known. Throws `SyntaxFault`. */
export function checkMountSyntax(text: string): void {
  for (const field of csvFields(text)) {
    const [key, value] = cut(field);
    if (key !== 'from' || value === undefined || !/\$./s.test(value)) continue;
    throw new SyntaxFault("'from' doesn't support variable expansion", {
      hint: 'name the image in a stage of its own (FROM $image AS name) and use from=name',
    });
  }
}

/** The stage, image or named context that a mount takes its files from, whatever its type. */
export function mountFrom(text: string): string | undefined {
  let from: string | undefined;
  for (const field of csvFields(text)) {
    const [key, value] = cut(field);
    if (key === 'from' && value !== undefined) from = value;
  }
  return from === '' ? undefined : from;
}

export interface MountOptions {
  /** Substitutes the variables of a value. */
  readonly expand?: (value: string) => string;
  /** The instruction, for errors. */
  readonly location?: SourceLocation;
}

/** Reads a mount. Throws `DOCKERFILE_PARSE`, and whatever `expand` throws. */
export function parseMount(text: string, { expand, location }: MountOptions = {}): MountSpec {
  try {
    return readMount(text, expand ?? ((value) => value));
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    throw new TsbuildError('DOCKERFILE_PARSE', error.message, {
      ...(error.hint !== undefined && { hint: error.hint }),
      ...(location !== undefined && { location }),
    });
  }
}

const TYPES = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const;
const SHARING = ['shared', 'private', 'locked'] as const;

function readMount(text: string, expand: (value: string) => string): MountSpec {
  const options: Options = { type: 'bind' };
  for (const field of csvFields(text)) {
    const [key, value] = cut(field);
    readOption(options, key, value === undefined ? undefined : expand(value), field);
  }
  checkCombination(options);
  return build(options);
}

interface Options {
  type: MountSpec['type'];
  from?: string;
  source?: string;
  target?: string;
  readonly?: boolean;
  required?: boolean;
  size?: number;
  id?: string;
  sharing?: CacheMount['sharing'];
  mode?: number;
  uid?: number;
  gid?: number;
  env?: string;
}

type OptionReader = (options: Options, value: string, key: string) => void;

/** By key. Aliases are keys of their own. */
const READERS: Readonly<Record<string, OptionReader>> = {
  type: (options, value) => {
    options.type = oneOf('mount type', value, TYPES);
  },
  from: (options, value) => {
    options.from = value;
  },
  source: readSource,
  src: readSource,
  target: readTarget,
  dst: readTarget,
  destination: readTarget,
  readonly: readReadonly,
  ro: readReadonly,
  readwrite: readReadWrite,
  rw: readReadWrite,
  required: (options, value, key) => {
    requireType(options, key, ['secret', 'ssh']);
    options.required = parseBoolean(key, value);
  },
  size: (options, value, key) => {
    requireType(options, key, ['tmpfs']);
    const size = parseByteSize(value);
    if (size === undefined) throw new SyntaxFault(`invalid value for ${key}: ${value}`);
    options.size = size;
  },
  id: (options, value) => {
    options.id = value;
  },
  sharing: (options, value) => {
    options.sharing = oneOf('sharing value', value, SHARING);
  },
  mode: (options, value, key) => {
    options.mode = parseNumber(key, value, 8);
  },
  uid: (options, value, key) => {
    options.uid = parseNumber(key, value, 10);
  },
  gid: (options, value, key) => {
    options.gid = parseNumber(key, value, 10);
  },
  env: (options, value) => {
    options.env = value;
  },
};

function readOption(options: Options, key: string, value: string | undefined, field: string): void {
  if (value === undefined) {
    if (key === 'ro' || key === 'readonly') options.readonly = true;
    else if (key === 'rw' || key === 'readwrite') options.readonly = false;
    else if (key === 'required') READERS[key]!(options, 'true', key);
    else throw new SyntaxFault(`invalid field '${field}' must be a key=value pair`);
    return;
  }
  if (!Object.hasOwn(READERS, key)) {
    throw new SyntaxFault(
      `unexpected key '${key}' in '${field}'${orMeant(key, Object.keys(READERS))}`,
    );
  }
  READERS[key]!(options, value, key);
}

function readSource(options: Options, value: string): void {
  options.source = value;
}

function readTarget(options: Options, value: string): void {
  options.target = value;
}

function readReadonly(options: Options, value: string, key: string): void {
  options.readonly = parseBoolean(key, value);
}

function readReadWrite(options: Options, value: string, key: string): void {
  options.readonly = !parseBoolean(key, value);
}

function requireType(options: Options, key: string, types: readonly MountSpec['type'][]): void {
  // The type said so far: `required` before `type=secret` is one of a bind mount.
  if (types.includes(options.type)) return;
  throw new SyntaxFault(`unexpected key '${key}' for mount type '${options.type}'`, {
    hint: `${key} is for ${types.join(' and ')} mounts; write type= first`,
  });
}

function checkCombination(options: Options): void {
  const { type } = options;
  for (const key of ['mode', 'uid', 'gid'] as const) {
    if (options[key] !== undefined && (type === 'bind' || type === 'tmpfs')) {
      throw new SyntaxFault(`${key} not allowed for "${type}" type mounts`);
    }
  }
  if (type === 'secret') {
    if (options.from) throw new SyntaxFault('secret mount should not have a from');
    if (options.sharing !== undefined)
      throw new SyntaxFault('secret mount should not define sharing');
    if (!options.source && !options.target && !options.id) {
      throw new SyntaxFault('invalid secret mount. one of source, target required');
    }
    if (options.source && options.id) throw new SyntaxFault("both source and id can't be set");
  }
  if (options.sharing !== undefined && type !== 'cache') {
    throw new SyntaxFault(`invalid cache sharing set for ${type} mount`);
  }
  if (type === 'ssh' && options.source) throw new SyntaxFault('ssh does not support source');
}

function build(options: Options): MountSpec {
  const { type, target = '', mode, uid, gid } = options;
  const origin = {
    ...(options.from && { from: options.from }),
    ...(options.source && { source: options.source }),
  };
  switch (type) {
    case 'bind':
      return { type, ...origin, target, readonly: options.readonly ?? true };
    case 'tmpfs': {
      const size = options.size === undefined ? {} : { size: options.size };
      return { type, target, readonly: options.readonly ?? false, ...size };
    }
    case 'cache':
      return {
        type,
        // Of a path without the slash at its end.
        id: options.id || posix.join(posix.dirname(target), posix.basename(target)),
        target,
        sharing: options.sharing ?? 'shared',
        ...origin,
        readonly: options.readonly ?? false,
        ...(mode !== undefined && { mode }),
        ...(uid !== undefined && { uid }),
        ...(gid !== undefined && { gid }),
      };
    case 'secret':
      return buildSecret(options);
    case 'ssh':
      return {
        type,
        id: options.id || 'default',
        ...(target !== '' && { target }),
        required: options.required ?? false,
        mode: mode ?? 0o600,
        uid: uid ?? 0,
        gid: gid ?? 0,
      };
  }
}

function buildSecret({
  source,
  id: name,
  target: written,
  env,
  required,
  mode,
  uid,
  gid,
}: Options): SecretMount {
  const id = source || name || posix.basename(written!);
  // With an environment variable there is a file only if one was asked for.
  const target = written || (env === undefined ? `/run/secrets/${posix.basename(id)}` : undefined);
  return {
    type: 'secret',
    id,
    ...(target !== undefined && { target }),
    ...(env !== undefined && { env }),
    required: required ?? false,
    mode: mode ?? 0o400,
    uid: uid ?? 0,
    gid: gid ?? 0,
  };
}

function csvFields(text: string): string[] {
  try {
    return parseCsvFields(text);
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    throw new SyntaxFault(`failed to parse --mount=${text}: ${error.message}`);
  }
}

function cut(field: string): [key: string, value: string | undefined] {
  const equals = field.indexOf('=');
  if (equals === -1) return [field.toLowerCase(), undefined];
  return [field.slice(0, equals).toLowerCase(), field.slice(equals + 1)];
}

function oneOf<const T extends string>(what: string, value: string, known: readonly T[]): T {
  const found = known.find((word) => word === value.toLowerCase());
  if (found !== undefined) return found;
  throw new SyntaxFault(`unsupported ${what} ${JSON.stringify(value)}${orMeant(value, known)}`, {
    hint: `it is one of ${known.join(', ')}`,
  });
}

/** The spellings of Go's strconv.ParseBool. */
function parseBoolean(key: string, value: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw new SyntaxFault(`invalid value for ${key}: ${value}`);
}

function parseNumber(key: string, value: string, base: 8 | 10): number {
  const digits = base === 8 ? /^[0-7]+$/ : /^[0-9]+$/;
  const number = Number.parseInt(value, base);
  if (digits.test(value) && number < 2 ** 32) return number;
  throw new SyntaxFault(`invalid value ${value} for ${key}`);
}
