import { defineCommand } from '../command.ts';
import { usage } from '../flags.ts';

export const completion = defineCommand({
  name: 'completion',
  synopsis: '[flags] [bash|zsh]',
  about:
    'Prints a script with which a shell (that of $SHELL if not named) completes commands, flags, and values such as names of images and stages.',
  flags: {
    line: {
      type: 'string',
      value: 'TEXT',
      help: 'Print what could end this command line, one a line, as the scripts ask for it',
    },
  },
  examples: [
    { command: 'source <(tsbuild completion bash)', does: 'In ~/.bashrc' },
    { command: 'source <(tsbuild completion zsh)', does: 'In ~/.zshrc, after compinit' },
  ],
  args: { min: 0, max: 1 },
  async run({ flags, args }, { env, stdout }) {
    const shell = args[0] ?? (env.SHELL?.endsWith('zsh') ? 'zsh' : 'bash');
    if (shell !== 'bash' && shell !== 'zsh')
      throw usage(`no completion for ${shell}`, 'use bash or zsh');
    if (flags.line === undefined) {
      const { COMPLETION_SCRIPTS } = await import('../completion-scripts.ts');
      stdout.write(COMPLETION_SCRIPTS[shell]);
      return;
    }
    const { complete } = await import('../complete.ts');
    const lines = (await complete(flags.line, env)).map(({ text, about }) => {
      if (shell === 'bash') return `${text}\n`;
      // zsh ends the word at the first colon.
      const word = text.replaceAll(':', '\\:');
      return about === undefined ? `${word}\n` : `${word}:${about}\n`;
    });
    stdout.write(lines.join(''));
  },
});
