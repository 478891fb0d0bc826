/** Which tools there are on this machine. */
import { commandWords } from '../options.ts';
import { openBuildah } from './buildah.ts';
import { openDocker } from './docker.ts';
import type { Tool, ToolHost, ToolName } from './tool.ts';
import { openTsbuild } from './tsbuild.ts';

/** A peer that does not answer is said so and left out; without tsbuild there is nothing to measure. */
export async function findTools(
  host: ToolHost,
  tsbuild: string,
  say: (message: string) => void,
): Promise<readonly Tool[]> {
  const { BENCH_TSBUILD, BENCH_DOCKER, BENCH_BUILDAH, BENCH_PODMAN } = host.env;
  const buildah = BENCH_BUILDAH ?? 'buildah';
  const podman = BENCH_PODMAN ?? buildah.replace(/buildah$/, 'podman');
  const ours = commandWords(BENCH_TSBUILD ?? `${process.execPath} ${tsbuild}`);
  const found = [await openTsbuild(ours, host)];
  const peers: [ToolName, () => Promise<Tool>][] = [
    ['docker', () => openDocker(commandWords(BENCH_DOCKER ?? 'docker'), host)],
    ['buildah', () => openBuildah(commandWords(buildah), commandWords(podman), host)],
  ];
  for (const [name, open] of peers) {
    try {
      found.push(await open());
    } catch (error) {
      say(`${name} is left out: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  return found;
}
