/** COPY, ADD and WORKDIR: instructions that bring files without running anything. */
import { posix } from 'node:path';
import type { Add, Copy, Workdir } from '../dockerfile/instruction.ts';
import type { SourceLocation } from '../errors.ts';
import { remember } from './lower-config.ts';
import { expand, expandText, type Lowering, MAIN_CONTEXT } from './lowering.ts';
import { planError, workdirOf } from './stage-state.ts';
import type { CopyOp, FileSource } from './step.ts';

export async function lowerTransfer(lowering: Lowering, transfer: Copy | Add): Promise<void> {
  const { state } = lowering;
  const { location } = transfer;
  const word = (text: string) => expand(lowering, text, location);
  const origin =
    transfer.kind === 'copy' && transfer.from !== undefined
      ? await lowering.origin(transfer.from, 'copy', location)
      : MAIN_CONTEXT;
  const from: FileSource =
    origin.source.type === 'input' ? { type: 'input', input: 0 } : origin.source;
  const sources = transfer.sources.map(word);
  const destination = word(transfer.destination);
  const op: CopyOp = {
    type: 'copy',
    instruction: transfer.kind === 'copy' ? 'COPY' : 'ADD',
    from,
    sources,
    inline: transfer.inlineFiles.map(({ name, content, expand: isExpanded }) => ({
      name: inlineFileName(name, location),
      content: isExpanded ? expandText(lowering, content, location) : content,
    })),
    destination,
    workdir: workdirOf(state),
    ...(transfer.chown === undefined ? {} : { chown: word(transfer.chown) }),
    ...(transfer.chmod === undefined ? {} : { chmod: word(transfer.chmod) }),
    parents: transfer.kind === 'copy' && transfer.parents,
    // As in the engine, the patterns are taken as written.
    exclude: transfer.exclude,
    ...(transfer.kind === 'add' ? addOptions(transfer, word) : {}),
  };
  const name = transfer.original.replace(/\s+/g, ' ').trim();
  lowering.addStep(op, {
    name,
    location,
    inputs: origin.source.type === 'input' ? origin.inputs : [],
  });
  const inline = op.inline.map((file) => `<<${file.name}`);
  const flags = [
    ...(op.chown ? [`--chown=${op.chown}`] : []),
    ...(op.chmod ? [`--chmod=${op.chmod}`] : []),
  ];
  const words = [op.instruction, ...flags, ...sources, ...inline, destination];
  state.history.push({
    entry: { created_by: `${words.join(' ')} # tsbuild`, comment: 'tsbuild' },
    ...(state.result === undefined ? {} : { step: state.result }),
  });
}

/** A here-document is a file in a directory of its own, so `./x` is `x`, and there is no `a/b`. */
function inlineFileName(name: string, location: SourceLocation): string {
  const file = posix.resolve('/', name).slice(1);
  if (file !== '' && !file.includes('/')) return file;
  throw planError(`${JSON.stringify(name)} of a here-document names no file`, {
    location,
    hint: 'directories belong into the destination: COPY <<name /directory/',
  });
}

function addOptions(add: Add, word: (text: string) => string): Partial<CopyOp> {
  return {
    ...(add.unpack === undefined ? {} : { unpack: add.unpack }),
    ...(add.checksum === undefined ? {} : { checksum: word(add.checksum) }),
    ...(add.keepGitDir === undefined ? {} : { keepGitDir: add.keepGitDir }),
  };
}

export function lowerWorkdir(lowering: Lowering, workdir: Workdir): void {
  const { state } = lowering;
  const word = expand(lowering, workdir.path, workdir.location);
  // As in the engine, what is absolute stays as it is written, also in the image's configuration.
  const path = posix.isAbsolute(word) ? word : posix.resolve(workdirOf(state), word);
  state.config.WorkingDir = path;
  if (path === '/') {
    remember(lowering, `WORKDIR ${path}`);
    return;
  }
  const { User: user } = state.config;
  lowering.addStep(
    { type: 'workdir', path, ...(user ? { user } : {}) },
    { name: `WORKDIR ${path}`, location: workdir.location, inputs: [] },
  );
  state.history.push({
    entry: { created_by: `WORKDIR ${path}`, comment: 'tsbuild' },
    ...(state.result === undefined ? {} : { step: state.result }),
  });
}
