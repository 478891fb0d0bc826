/**
 * The images that contexts begin FROM, made on this machine: no registry is asked for anything. They are archives as
 * `docker save` writes them, which every tool loads.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

export type BaseName = 'busybox' | 'debian';

export const BASE_IMAGES: Readonly<Record<BaseName, string>> = {
  busybox: 'localhost/tsbuild-bench/busybox:1',
  debian: 'localhost/tsbuild-bench/debian:1',
};

export interface Rootfs {
  /** An uncompressed tar. */
  readonly tar: string;
  readonly diffID: string;
}

/** Archives are made once and kept in `directory`, which may be there from an earlier run. */
export interface BaseImages {
  archive(name: BaseName): string;
  /** The Debian of the base image and one file more, so that nothing has this layer yet. */
  unknownDebian(): Rootfs;
}

export function openBaseImages(directory: string, say: (message: string) => void): BaseImages {
  mkdirSync(directory, { recursive: true });
  const made = (file: string, make: (file: string) => void): string => {
    const path = join(directory, file);
    if (existsSync(path)) return path;
    // Under another name until it is whole: it may be found by a later run.
    make(`${path}.new`);
    renameSync(`${path}.new`, path);
    return path;
  };
  const debian = () =>
    made('debian-rootfs.tar', (file) => {
      say('bootstrapping Debian, which takes minutes once');
      bootstrapDebian(file);
    });
  return {
    archive: (name) =>
      made(`${name}.tar`, (file) => {
        const tar =
          name === 'debian' ? debian() : made('busybox-rootfs.tar', (to) => packBusybox(to));
        packImage(file, BASE_IMAGES[name], tar);
      }),
    unknownDebian() {
      const tar = made('debian-unknown.tar', (file) => {
        copyFileSync(debian(), file);
        inTempDirectory(directory, (work) => {
          writeFileSync(join(work, 'pulled'), 'by tsbuild-bench\n');
          execFileSync('tar', [...PLAIN_TAR, '-rf', file, '-C', work, 'pulled']);
        });
      });
      return { tar, diffID: digestOf(tar) };
    },
  };
}

/** The same bytes for the same files. */
const PLAIN_TAR = ['--sort=name', '--mtime=@1', '--owner=0', '--group=0', '--numeric-owner'];

/** Perl and certificates bring a minimal Debian to the size of common language images. */
const DEBIAN_PACKAGES = 'ca-certificates,perl';

function bootstrapDebian(file: string): void {
  // An order of apt's own sources, so that a mirror or proxy that this machine uses is used here too.
  const format = ['--format', '$(REPO_URI)', 'Created-By: Packages'];
  const sources = execFileSync('apt-get', ['indextargets', ...format], { encoding: 'utf8' });
  const mirror = sources.split('\n').find((uri) => /\/debian\/?$/.test(uri));
  execFileSync(
    'mmdebstrap',
    [
      '--quiet',
      '--format=tar',
      '--variant=minbase',
      `--include=${DEBIAN_PACKAGES}`,
      'bookworm',
      file,
      ...(mirror === undefined ? [] : [mirror]),
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
}

function packBusybox(file: string): void {
  inTempDirectory(join(file, '..'), (work) => {
    for (const name of ['bin', 'dev', 'etc', 'proc', 'root', 'srv', 'sys', 'tmp']) {
      mkdirSync(join(work, name));
    }
    copyFileSync('/bin/busybox', join(work, 'bin', 'busybox'));
    const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' });
    for (const applet of applets.trim().split('\n')) {
      if (applet !== 'busybox') symlinkSync('busybox', join(work, 'bin', applet));
    }
    writeFileSync(join(work, 'etc', 'passwd'), 'root:x:0:0::/root:/bin/sh\n');
    writeFileSync(join(work, 'etc', 'group'), 'root:x:0:\n');
    execFileSync('tar', [...PLAIN_TAR, '-cf', file, '-C', work, '.']);
  });
}

export function imageConfig(diffID: string): object {
  return {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    created: '2020-01-01T00:00:00Z',
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: ['/bin/sh'],
    },
    rootfs: { type: 'layers', diff_ids: [diffID] },
    history: [{ created: '2020-01-01T00:00:00Z', created_by: 'tsbuild-bench' }],
  };
}

function packImage(file: string, name: string, rootfs: string): void {
  inTempDirectory(join(file, '..'), (work) => {
    copyFileSync(rootfs, join(work, 'layer.tar'));
    const config = JSON.stringify(imageConfig(digestOf(rootfs)));
    const configName = `${createHash('sha256').update(config).digest('hex')}.json`;
    writeFileSync(join(work, configName), config);
    writeFileSync(
      join(work, 'manifest.json'),
      JSON.stringify([{ Config: configName, RepoTags: [name], Layers: ['layer.tar'] }]),
    );
    const names = ['manifest.json', configName, 'layer.tar'];
    execFileSync('tar', [...PLAIN_TAR, '-cf', file, '-C', work, ...names]);
  });
}

function digestOf(file: string): string {
  const [hex] = execFileSync('sha256sum', [file], { encoding: 'utf8' }).split(' ');
  return `sha256:${hex}`;
}

function inTempDirectory(parent: string, use: (directory: string) => void): void {
  const directory = mkdtempSync(join(parent, 'work-'));
  try {
    use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The bytes of a rootfs, compressed as registries have them, are made once as well. */
export function gzipped(tar: string): Buffer {
  const file = `${tar}.gz`;
  if (!existsSync(file)) execFileSync('gzip', ['--keep', '--no-name', tar]);
  return readFileSync(file);
}
