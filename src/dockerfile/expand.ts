/** Which words of which instruction hold variables. */
import type { Instruction } from './instruction.ts';
import type { RawPair } from './syntax.ts';

export interface Expanders {
  /** One word in, one word out. */
  readonly word: (word: string) => string;
  /** The text of a here-document. */
  readonly text: (text: string) => string;
}

/**
 * Expands the words that an instruction expands, and no others; in the order in which the engine does, which tells the
 * first error. Not done here, for it takes more than a word: ARG, whose words see each other; EXPOSE, whose words may
 * become several; mounts, which are divided first.
 */
export function expandInstruction(instruction: Instruction, expand: Expanders): Instruction {
  const { word } = expand;
  switch (instruction.kind) {
    case 'copy':
    case 'add':
      return expandTransfer(instruction, expand);
    case 'env':
    case 'label':
      return { ...instruction, pairs: instruction.pairs.map((pair) => expandPair(pair, word)) };
    case 'workdir':
      return { ...instruction, path: word(instruction.path) };
    case 'user':
      return { ...instruction, user: word(instruction.user) };
    case 'stopsignal':
      return { ...instruction, signal: word(instruction.signal) };
    case 'volume':
      return { ...instruction, paths: instruction.paths.map(word) };
    default:
      return instruction;
  }
}

type Transfer = Extract<Instruction, { kind: 'copy' | 'add' }>;

/** `--exclude` and `--from` are taken literally. */
function expandTransfer<T extends Transfer>(transfer: T, { word, text }: Expanders): T {
  const { chown, chmod } = transfer;
  const checksum = transfer.kind === 'add' ? transfer.checksum : undefined;
  return {
    ...transfer,
    ...(chown !== undefined && { chown: word(chown) }),
    ...(chmod !== undefined && { chmod: word(chmod) }),
    ...(checksum !== undefined && { checksum: word(checksum) }),
    sources: transfer.sources.map(word),
    destination: word(transfer.destination),
    inlineFiles: transfer.inlineFiles.map((file) =>
      file.expand ? { ...file, content: text(file.content) } : file,
    ),
  };
}

function expandPair(pair: RawPair, word: (word: string) => string): RawPair {
  return { ...pair, key: word(pair.key), value: word(pair.value) };
}
