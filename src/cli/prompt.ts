/** Asking people at a terminal, and reading what programs give on stdin. */
import type { ReadStream } from 'node:tty';
import { TsbuildError } from '../errors.ts';
import type { CommandContext } from './command.ts';
import { usage } from './flags.ts';

/** One line. Without `echo` the terminal shows nothing of it. @throws TsbuildError `USAGE` when nobody can be asked */
export async function ask(
  question: string,
  { stdin, stderr, signal }: CommandContext,
  options: { readonly echo: boolean },
): Promise<string> {
  if (!stdin.isTTY) {
    throw usage('stdin is not a terminal', 'give --username, and the password by --password-stdin');
  }
  const terminal = stdin as ReadStream;
  stderr.write(question);
  const { createInterface } = await import('node:readline/promises');
  const { Writable } = await import('node:stream');
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  // With `terminal: true` readline itself echoes, to `output`.
  const reader = createInterface({
    input: terminal,
    output: options.echo ? stderr : silent,
    terminal: true,
  });
  // readline has the terminal in raw mode: Ctrl-C comes to it and not to us.
  const interrupted = new Promise<never>((_, reject) => {
    reader.once('SIGINT', () => reject(new TsbuildError('ABORTED', 'interrupted by SIGINT')));
  });
  try {
    return await Promise.race([
      reader.question(options.echo ? question : '', { signal }),
      interrupted,
    ]);
  } finally {
    reader.close();
    if (!options.echo) stderr.write('\n');
  }
}

/** @throws TsbuildError `USAGE` for more than `limit` bytes */
export async function readAll(
  stream: AsyncIterable<Buffer | string>,
  limit: number,
): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > limit) throw usage(`stdin holds more than ${limit} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
