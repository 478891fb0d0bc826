/** What happens to images: push, pull, save, run. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type DockerRegistry, startDockerRegistry } from '../../helpers/docker-registry.ts';
import { BASE_IMAGES, gzipped, imageConfig } from '../base-images.ts';
import { touchRound } from '../contexts.ts';
import { layerBytes, publishImage } from '../published.ts';
import type { Compression } from '../tools/tool.ts';
import { LARGE } from './builds.ts';
import type { Round, Scene, Workload } from './workload.ts';

export const SHIPS: readonly Workload[] = [
  {
    name: 'push-gzip',
    title: 'push of a new 512 MB layer, gzip',
    goal: { ratio: 0.5, sizePercent: 3 },
    base: 'busybox',
    context: LARGE,
    round: (scene) => pushRound(scene, 'gzip'),
  },
  {
    name: 'push-zstd',
    title: 'push of a new 512 MB layer, zstd (docker: gzip)',
    goal: { ratio: 0.35 },
    base: 'busybox',
    context: LARGE,
    round: (scene) => pushRound(scene, 'zstd'),
  },
  {
    name: 'pull',
    title: 'pull of a 180 MB Debian image, and its first `true`',
    goal: { ratio: 0.25 },
    round: pullRound,
  },
  {
    name: 'save',
    title: 'save of a 512 MB image',
    goal: { ratio: 0.3 },
    base: 'busybox',
    context: LARGE,
    async round({ tool, context, image, directory, run }) {
      await run(tool.build({ context, image }));
      const file = join(directory, 'saved.tar');
      return {
        commands: [tool.save(image, file)],
        finish: () => rm(file, { force: true }).then(() => undefined),
      };
    },
  },
  {
    name: 'run',
    title: 'start a container that exits',
    goal: { ratio: 0.5 },
    base: 'busybox',
    round: ({ tool }) => ({ commands: [tool.run(BASE_IMAGES.busybox, ['true'])] }),
  },
];

/** Nobody has seen the layer before: neither the registry, which is empty, nor the tool, which must compress it. */
async function pushRound(scene: Scene, compression: Compression): Promise<Round> {
  const { tool, context, run } = scene;
  touchRound(join(context, 'data', 'round'), scene.round);
  return inRegistry(async ({ host }) => {
    const image = `${host}/tsbuild-bench/large:1`;
    await run(tool.build({ context, image }));
    return {
      commands: [tool.push(image, context, compression)],
      finish: (succeeded) =>
        succeeded ? layerBytes(host, 'tsbuild-bench/large', '1') : Promise.resolve(undefined),
    };
  });
}

/** The tool has nothing of the image, and the registry has it compressed with gzip as most are. */
async function pullRound({ tool, bases, run }: Scene): Promise<Round> {
  return inRegistry(async ({ host }) => {
    const { tar, diffID } = bases.unknownDebian();
    await publishImage(host, 'tsbuild-bench/debian', '1', imageConfig(diffID), gzipped(tar));
    const image = `${host}/tsbuild-bench/debian:1`;
    return {
      commands: [tool.pull(image), tool.run(image, ['true'])],
      async finish(succeeded) {
        if (succeeded) for (const command of tool.forget(image)) await run(command);
        return undefined;
      },
    };
  });
}

/** A registry that begins empty and ends with the round. */
async function inRegistry(prepare: (registry: DockerRegistry) => Promise<Round>): Promise<Round> {
  const registry = await startDockerRegistry();
  const close = () => registry[Symbol.asyncDispose]();
  try {
    const round = await prepare(registry);
    return {
      commands: round.commands,
      finish: async (succeeded) => {
        try {
          return await round.finish?.(succeeded);
        } finally {
          await close();
        }
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
