/** The commands by name. Each is imported when it is chosen, and not before. */
import type { Command } from './command.ts';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'build',
    summary: 'Build an image from a Dockerfile (the word may be left out)',
    load: async () => (await import('./commands/build.ts')).build,
  },
  {
    name: 'run',
    summary: 'Run a command in a container of an image',
    load: async () => (await import('./commands/run.ts')).run,
  },
  {
    name: 'pull',
    summary: 'Fetch an image from a registry',
    load: async () => (await import('./commands/pull.ts')).pull,
  },
  {
    name: 'push',
    summary: 'Send an image to a registry',
    load: async () => (await import('./commands/push.ts')).push,
  },
  {
    name: 'tag',
    summary: 'Give an image another name',
    load: async () => (await import('./commands/tag.ts')).tag,
  },
  {
    name: 'images',
    summary: 'List the images of the store',
    load: async () => (await import('./commands/images.ts')).images,
  },
  {
    name: 'rmi',
    summary: 'Remove names of images',
    load: async () => (await import('./commands/rmi.ts')).rmi,
  },
  {
    name: 'inspect',
    summary: 'Print what is known of an image, as JSON',
    load: async () => (await import('./commands/inspect.ts')).inspect,
  },
  {
    name: 'history',
    summary: 'List the steps that made an image',
    load: async () => (await import('./commands/history.ts')).history,
  },
  {
    name: 'save',
    summary: 'Write images to an archive',
    load: async () => (await import('./commands/save.ts')).save,
  },
  {
    name: 'load',
    summary: 'Read images from an archive',
    load: async () => (await import('./commands/load.ts')).load,
  },
  {
    name: 'copy',
    summary: 'Copy an image between registries, layouts and archives',
    load: async () => (await import('./commands/copy.ts')).copy,
  },
  {
    name: 'manifest inspect',
    summary: 'Print the manifest that a registry has',
    load: async () => (await import('./commands/manifest-inspect.ts')).manifestInspect,
  },
  {
    name: 'index create',
    summary: 'Make one image for several platforms of images in registries',
    load: async () => (await import('./commands/index-create.ts')).indexCreate,
  },
  {
    name: 'login',
    summary: 'Store credentials for a registry',
    load: async () => (await import('./commands/login.ts')).login,
  },
  {
    name: 'logout',
    summary: 'Forget the credentials of a registry',
    load: async () => (await import('./commands/logout.ts')).logout,
  },
  {
    name: 'prune',
    summary: 'Remove what nothing refers to from the store',
    load: async () => (await import('./commands/prune.ts')).prune,
  },
  {
    name: 'system df',
    summary: 'Show what the store uses of the disk',
    load: async () => (await import('./commands/system-df.ts')).systemDf,
  },
  {
    name: 'parse',
    summary: 'Print what a Dockerfile says, as JSON',
    load: async () => (await import('./commands/parse.ts')).parse,
  },
  {
    name: 'completion',
    summary: 'Print a script with which bash or zsh complete commands',
    load: async () => (await import('./commands/completion.ts')).completion,
  },
  {
    name: 'version',
    summary: 'Print the version',
    load: async () => (await import('./commands/version.ts')).version,
  },
];
