/** Docker Engine with its default builder, BuildKit inside the daemon. */
import type { Command } from '../measure.ts';
import type { Span, Tool, ToolHost } from './tool.ts';

interface CacheRecord {
  readonly ID: string;
  /** As Go prints it: `2026-11-21 09:08:00.475345799 +0000 UTC`. */
  readonly CreatedAt: string;
}

export async function openDocker(command: Command, host: ToolHost): Promise<Tool> {
  const docker = (...args: string[]): Command => [...command, ...args];
  const version = await host.output(docker('version', '-f', '{{.Server.Version}}'));
  const network = host.network === 'host' ? ['--network=host'] : [];
  const names = new Set<string>();
  const named = (image: string): string => {
    names.add(image);
    return image;
  };
  // A name that is used again leaves an image without one behind, which is found by this.
  const label = `tsbuild-bench=${process.pid}`;
  return {
    name: 'docker',
    version: version.trim(),
    env: {},
    daemons: /^(dockerd|containerd|containerd-shim|buildkitd)$/,
    build: ({ context, image, noCache }) => {
      const flags = [...network, '--label', label, ...(noCache ? ['--no-cache'] : [])];
      return docker('build', ...flags, '-t', named(image), context);
    },
    load: (archive) => docker('load', '-i', archive),
    // It compresses with gzip, whatever is asked for.
    push: (image) => docker('push', image),
    pull: (image) => docker('pull', named(image)),
    forget: (image) => [docker('rmi', '-f', image)],
    save: (image, file) => docker('save', '-o', file, image),
    run: (image, args) => docker('run', '--rm', ...network, image, ...args),
    async cleanUp(worked) {
      const present = await host.output(
        docker('images', '--format', '{{.Repository}}:{{.Tag}}', '--filter', 'dangling=false'),
      );
      const ours = present
        .split('\n')
        .filter((name) => names.has(name) || name.startsWith('localhost/tsbuild-bench/'));
      if (ours.length > 0) await host.output(docker('rmi', '-f', ...ours));
      await host.output(docker('image', 'prune', '-f', '--filter', `label=${label}`));
      await removeCacheRecords(docker, host, worked);
    },
  };
}

const PRUNE_SECONDS = 60;

type Docker = (...args: string[]) => Command;

/**
 * What builds left in BuildKit's cache: copies of contexts and the results of steps. Nothing in a record says whose it
 * is, so it is those that came while our commands ran. Where a cache has very many records, BuildKit would be busy with
 * this for minutes, and its other users with it: then they are left to its own collection.
 */
async function removeCacheRecords(docker: Docker, host: ToolHost, worked: readonly Span[]) {
  const lines = await host.output(docker('buildx', 'du', '--format', '{{json .}}'));
  const records = lines
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as CacheRecord)
    .filter(({ CreatedAt }) => isWithin(parseGoTime(CreatedAt), worked));
  const ids = [...new Set(records.map(({ ID }) => ID))];
  // The expression must fit into one argument.
  for (let at = 0; at < ids.length; at += 1000) {
    const expression = `id~=^(${ids.slice(at, at + 1000).join('|')})$`;
    await host.output(docker('buildx', 'prune', '-f', '--filter', expression), PRUNE_SECONDS);
  }
}

function isWithin(time: number, spans: readonly Span[]): boolean {
  return spans.some(({ start, end }) => start <= time && time <= end);
}

function parseGoTime(text: string): number {
  const [day, time, zone] = text.split(' ');
  return Date.parse(`${day}T${time!.slice(0, 12)}${zone}`);
}
