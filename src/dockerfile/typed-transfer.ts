import { parseFlags } from './flags.ts';
import { type Heredoc, heredocText, parseHeredocMarker } from './heredoc.ts';
import type { Add, Copy, InlineFile, Written } from './instruction.ts';
import type { SyntaxNode } from './syntax.ts';
import { SyntaxFault } from './syntax-error.ts';

const SHARED_FLAGS = {
  chown: 'string',
  chmod: 'string',
  link: 'boolean',
  exclude: 'strings',
} as const;
const COPY_FLAGS = { ...SHARED_FLAGS, from: 'string', parents: 'boolean' } as const;
const ADD_FLAGS = {
  ...SHARED_FLAGS,
  checksum: 'string',
  'keep-git-dir': 'boolean',
  unpack: 'boolean',
} as const;

export function readCopy(node: SyntaxNode): Omit<Copy, keyof Written> {
  requireDestination(node);
  const { from, parents, ...flags } = parseFlags(node.flags, COPY_FLAGS);
  return {
    kind: 'copy',
    ...sharedFields(node, flags),
    parents: parents ?? false,
    // An empty one is none.
    ...(from && { from }),
  };
}

export function readAdd(node: SyntaxNode): Omit<Add, keyof Written> {
  requireDestination(node);
  const {
    checksum,
    'keep-git-dir': keepGitDir,
    unpack,
    ...flags
  } = parseFlags(node.flags, ADD_FLAGS);
  return {
    kind: 'add',
    ...sharedFields(node, flags),
    ...(checksum !== undefined && { checksum }),
    ...(keepGitDir !== undefined && { keepGitDir }),
    ...(unpack !== undefined && { unpack }),
  };
}

function requireDestination(node: SyntaxNode): void {
  if (node.args.length >= 2) return;
  throw new SyntaxFault(
    `${node.name.toUpperCase()} requires at least two arguments, but only ${node.args.length === 0 ? 'none' : 'one'} was provided; the destination could not be determined`,
    { hint: `write ${node.name.toUpperCase()} source destination` },
  );
}

interface SharedFlags {
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  readonly link: boolean | undefined;
  readonly exclude: readonly string[];
}

function sharedFields(node: SyntaxNode, { chown, chmod, link, exclude }: SharedFlags) {
  const destination = node.args.at(-1)!;
  if (parseHeredocMarker(destination) !== undefined) {
    throw new SyntaxFault(`${node.name.toUpperCase()} cannot accept a heredoc as a destination`);
  }
  const words = node.args.slice(0, -1);
  return {
    sources: words.filter((word) => parseHeredocMarker(word) === undefined),
    inlineFiles: words.flatMap((word) => inlineFile(word, node.heredocs) ?? []),
    destination,
    link: link ?? false,
    exclude,
    ...(chown !== undefined && { chown }),
    ...(chmod !== undefined && { chmod }),
  };
}

/** Two here-documents of one name are one file, with the content of the last. */
function inlineFile(word: string, heredocs: readonly Heredoc[]): InlineFile | undefined {
  const marker = parseHeredocMarker(word);
  if (marker === undefined) return undefined;
  const content = heredocs.findLast(({ name }) => name === marker.name)?.content ?? '';
  return { name: marker.name, content: heredocText({ ...marker, content }), expand: marker.expand };
}
