/** From the syntactic level to the typed one: counts arguments, checks flags, gives each instruction its fields. */
import type { SourceLocation } from '../errors.ts';
import { commandLine } from './command-line.ts';
import { type FlagTable, parseFlags } from './flags.ts';
import type { Argument, From, Instruction, InstructionKind, Written } from './instruction.ts';
import { trim } from './space.ts';
import { orMeant } from './suggest.ts';
import type { RawPair, SyntaxNode } from './syntax.ts';
import { SyntaxFault } from './syntax-error.ts';
import { readHealthcheck } from './typed-healthcheck.ts';
import { readRun } from './typed-run.ts';
import { readAdd, readCopy } from './typed-transfer.ts';

type Fields<I extends Instruction> = Omit<I, keyof Written>;
type Reader<K extends InstructionKind> = (
  node: SyntaxNode,
) => Fields<Extract<Instruction, { kind: K }>>;

const NO_FLAGS = {} as const satisfies FlagTable;

const READERS: { readonly [K in InstructionKind]: Reader<K> } = {
  add: readAdd,
  arg: (node) => ({ kind: 'arg', args: atLeastOne(unflagged(node)).map(readArgument) }),
  cmd: (node) => ({ kind: 'cmd', command: withoutFlags(node, commandLine(node)) }),
  copy: readCopy,
  entrypoint: (node) => ({ kind: 'entrypoint', command: withoutFlags(node, commandLine(node)) }),
  env: (node) => ({ kind: 'env', pairs: readPairs(node) }),
  expose: (node) => ({ kind: 'expose', ports: atLeastOne(node) }),
  from: readFrom,
  healthcheck: readHealthcheck,
  label: (node) => ({ kind: 'label', pairs: readPairs(node) }),
  maintainer: (node) => ({ kind: 'maintainer', author: exactlyOne(node) }),
  onbuild: readOnBuild,
  run: readRun,
  shell: readShell,
  stopsignal: (node) => ({ kind: 'stopsignal', signal: exactlyOne(unflagged(node)) }),
  user: (node) => ({ kind: 'user', user: exactlyOne(node) }),
  volume: readVolume,
  workdir: (node) => ({ kind: 'workdir', path: exactlyOne(node) }),
};

/** Every instruction word there is, in upper case. */
export const INSTRUCTION_NAMES: readonly string[] = Object.keys(READERS).map((kind) =>
  kind.toUpperCase(),
);

/** Gives a node its type. Throws `SyntaxFault`. */
export function readInstruction(node: SyntaxNode, location: SourceLocation): Instruction {
  const kind = node.name.toLowerCase();
  if (!isInstructionKind(kind)) throw unknownInstruction(node.name);
  const { raw: original, name, comments } = node;
  return { ...READERS[kind](node), location, original, name, comments } as Instruction;
}

export function isInstructionKind(word: string): word is InstructionKind {
  return Object.hasOwn(READERS, word);
}

function unknownInstruction(name: string): SyntaxFault {
  return new SyntaxFault(`unknown instruction: ${name}${orMeant(name, INSTRUCTION_NAMES)}`, {
    subject: name,
  });
}

/** Checks that an instruction that has no flags was given none. */
function withoutFlags<T>(node: SyntaxNode, value: T): T {
  parseFlags(node.flags, NO_FLAGS);
  return value;
}

/** The engine does not look at the flags of ARG and STOPSIGNAL. */
function unflagged(node: SyntaxNode): SyntaxNode {
  return { ...node, flags: [] };
}

function atLeastOne(node: SyntaxNode): readonly string[] {
  if (node.args.length > 0) return withoutFlags(node, node.args);
  throw new SyntaxFault(`${node.name.toUpperCase()} requires at least one argument`);
}

function exactlyOne(node: SyntaxNode): string {
  const [only] = node.args;
  if (only === undefined)
    throw new SyntaxFault(`${node.name.toUpperCase()} requires exactly one argument`);
  return withoutFlags(node, only);
}

const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/;

function readFrom(node: SyntaxNode): Fields<From> {
  const { args } = node;
  const [base, as, name] = args;
  if (
    base === undefined ||
    !(args.length === 1 || (args.length === 3 && as!.toLowerCase() === 'as'))
  ) {
    throw new SyntaxFault('FROM requires either one or three arguments', {
      hint: 'write FROM image, or FROM image AS name',
    });
  }
  const stageName = name?.toLowerCase();
  if (stageName !== undefined && !STAGE_NAME.test(stageName)) {
    throw new SyntaxFault(`invalid name for build stage: ${JSON.stringify(name)}`, {
      subject: name,
      hint: 'a name begins with a letter and goes on with letters, digits, `-`, `_` and `.`',
    });
  }
  const { platform } = parseFlags(node.flags, { platform: 'string' });
  return {
    kind: 'from',
    base,
    words: args,
    // An empty one says nothing; only one that expands to nothing is an error.
    ...(platform && { platform }),
    ...(stageName !== undefined && { stageName }),
  };
}

function readArgument(word: string): Argument {
  const equals = word.indexOf('=');
  if (equals === 0) throw new SyntaxFault('ARG names can not be blank');
  if (equals === -1) return { name: word };
  return { name: word.slice(0, equals), value: word.slice(equals + 1) };
}

function readPairs(node: SyntaxNode): readonly RawPair[] {
  const name = node.name.toUpperCase();
  const pairs = withoutFlags(node, node.pairs ?? []);
  if (pairs.length === 0) throw new SyntaxFault(`${name} requires at least one argument`);
  if (pairs.some(({ key }) => key === '')) throw new SyntaxFault(`${name} names can not be blank`);
  return pairs;
}

function readShell(node: SyntaxNode): Fields<Extract<Instruction, { kind: 'shell' }>> {
  const args = atLeastOne(node);
  if (node.form === 'exec') return { kind: 'shell', args };
  throw new SyntaxFault('SHELL requires the arguments to be in JSON form', {
    hint: 'write SHELL ["/bin/bash", "-c"]',
  });
}

function readVolume(node: SyntaxNode): Fields<Extract<Instruction, { kind: 'volume' }>> {
  const paths = atLeastOne(node).map(trim);
  if (paths.includes('')) throw new SyntaxFault('VOLUME specified can not be an empty string');
  return { kind: 'volume', paths };
}

/** The trigger is judged when an image built on this one meets it, not now. */
function readOnBuild(node: SyntaxNode): Fields<Extract<Instruction, { kind: 'onbuild' }>> {
  const { trigger } = node;
  if (trigger === undefined) throw new SyntaxFault('ONBUILD requires at least one argument');
  const name = trigger.name.toUpperCase();
  if (name === 'ONBUILD')
    throw new SyntaxFault("chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (name === 'MAINTAINER' || name === 'FROM') {
    throw new SyntaxFault(`${name} isn't allowed as an ONBUILD trigger`);
  }
  const documents = node.heredocs.map(({ content, name }) => `\n${content}${name}`).join('');
  return withoutFlags(node, {
    kind: 'onbuild',
    trigger: node.raw.replace(/^\s*ONBUILD\s*/i, '') + documents,
  });
}
