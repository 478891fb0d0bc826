import { loadImages } from '../../index.ts';
import { defineCommand } from '../command.ts';
import { usage } from '../flags.ts';
import { follow, PROGRESS_FLAG } from '../follow.ts';

export const load = defineCommand({
  name: 'load',
  synopsis: '[flags]',
  about:
    "Reads the images of an archive (of 'docker save', or an OCI layout; plain or gzip) into the store and prints their names.",
  flags: {
    input: { type: 'string', short: 'i', value: 'FILE', help: 'Read FILE instead of stdin' },
    progress: PROGRESS_FLAG,
    quiet: { type: 'boolean', short: 'q', help: 'No progress' },
  },
  examples: [
    { command: 'tsbuild load -i app.tar', does: 'From a file' },
    { command: 'docker save app | tsbuild load', does: 'From a Docker Engine' },
  ],
  args: { min: 0, max: 0 },
  async run({ flags }, context) {
    const { env, signal, stdout } = context;
    if (flags.input === undefined && context.stdin.isTTY) {
      throw usage('no archive: stdin is a terminal', 'add -i FILE');
    }
    const operation = loadImages({ source: flags.input ?? context.stdin, env, signal });
    for (const image of await follow(operation, context, flags)) {
      stdout.write(`Loaded image: ${image.name ?? image.imageId}\n`);
    }
  },
});
