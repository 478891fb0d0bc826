/** Buildah with its layer cache, and podman to run what it built. They have a storage of their own, which goes as a whole. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from '../measure.ts';
import type { Tool, ToolHost } from './tool.ts';

export async function openBuildah(
  command: Command,
  podmanCommand: Command,
  host: ToolHost,
): Promise<Tool> {
  const root = join(host.directory, 'buildah');
  const runRoot = join(host.directory, 'buildah-run');
  const storage = ['--root', root, '--runroot', runRoot];
  const buildah = (...args: string[]): Command => [...command, ...storage, ...args];
  const podman = (...args: string[]): Command => [...podmanCommand, ...storage, ...args];
  const network = host.network === 'host' ? ['--network=host'] : [];
  const version = await host.output([...command, 'version', '--json']);
  return {
    name: 'buildah',
    version: (JSON.parse(version) as { version: string }).version,
    env: {},
    daemons: /^conmon$/,
    build: ({ context, image, noCache }) => {
      const cache = noCache ? ['--no-cache'] : [];
      return buildah('bud', '--layers', ...network, ...cache, '-t', image, context);
    },
    load: (archive) => buildah('pull', `docker-archive:${archive}`),
    push: (image, _context, compression) => {
      const flags = ['--tls-verify=false', '--compression-format', compression];
      // A manifest of docker's kind knows no zstd.
      const format = compression === 'zstd' ? ['--format', 'oci'] : [];
      return buildah('push', ...flags, ...format, image, `docker://${image}`);
    },
    pull: (image) => buildah('pull', '--tls-verify=false', image),
    forget: (image) => [buildah('rmi', '-f', image)],
    save: (image, file) => buildah('push', image, `docker-archive:${file}:${image}`),
    run: (image, args) => podman('run', '--rm', ...network, image, ...args),
    async cleanUp() {
      for (const path of mountsBelow([root, runRoot])) execFileSync('umount', ['-l', path]);
      await rm(root, { recursive: true, force: true });
      await rm(runRoot, { recursive: true, force: true });
    },
  };
}

/** The storage driver leaves its directory mounted on itself; within a chroot the path has more in front. */
function mountsBelow(directories: readonly string[]): readonly string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const paths = lines.map((line) => line.split(' ')[4] ?? '');
  const below = paths.filter((path) => directories.some((each) => path.includes(`${each}/`)));
  return below.reverse();
}
