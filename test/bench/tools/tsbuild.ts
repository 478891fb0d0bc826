/** Ours, as it is bundled, with a store of its own. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from '../measure.ts';
import type { Tool, ToolHost } from './tool.ts';

export async function openTsbuild(command: Command, host: ToolHost): Promise<Tool> {
  const home = join(host.directory, 'tsbuild');
  const tsbuild = (...args: string[]): Command => [...command, ...args];
  const version = await host.output(tsbuild('--version'));
  return {
    name: 'tsbuild',
    version: version.split(' ')[1]!,
    env: { TSBUILD_HOME: home },
    build: ({ context, image, noCache }) => {
      return tsbuild('build', ...(noCache ? ['--no-cache'] : []), '-t', image, context);
    },
    load: (archive) => tsbuild('load', '-i', archive),
    push: (image, context, compression) => {
      if (compression === 'gzip') return tsbuild('push', image);
      const output = `type=registry,compression=${compression}`;
      return tsbuild('build', '-t', image, '-o', output, context);
    },
    pull: (image) => tsbuild('pull', image),
    forget: (image) => [tsbuild('rmi', image), tsbuild('prune', '--all')],
    save: (image, file) => tsbuild('save', '-o', file, image),
    run: (image, args) => tsbuild('run', '--rm', image, ...args),
    cleanUp: () => rm(home, { recursive: true, force: true }),
  };
}
