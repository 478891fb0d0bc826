import { defineCommand } from '../command.ts';

declare const TSBUILD_VERSION: string;

export const version = defineCommand({
  name: 'version',
  synopsis: '',
  about: 'Prints the version of tsbuild and of the Node that it runs on.',
  flags: {},
  examples: [
    { command: 'tsbuild version', does: 'Print the versions' },
    { command: 'tsbuild --version', does: 'The same' },
  ],
  args: { min: 0, max: 0 },
  async run(_, { stdout }) {
    stdout.write(
      `tsbuild ${TSBUILD_VERSION} (node ${process.versions.node}, ${process.platform}/${process.arch})\n`,
    );
  },
});
