/**
 * Prepares a Debian machine for this project: packages, node_modules, and the ordinary user as whom the rootless tests
 * run. Used by `npm test` and `npm run quickstart`, so plain JavaScript without dependencies. Idempotent: what is there
 * already is left alone, and what is done is said.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** What tsbuild itself uses to run steps and to squeeze layers, and what a base image is made of. */
export const RUN_PACKAGES = [
  'crun',
  'runc',
  'busybox-static',
  'uidmap',
  'ca-certificates',
  'libisal2',
];

/** What the tests compare with and test against. */
export const TEST_PACKAGES = [
  ...RUN_PACKAGES,
  'docker-registry',
  'apache2-utils',
  'openssh-client',
  'skopeo',
  'umoci',
  'libcap2-bin',
  'attr',
  'zstd',
  'libdeflate0',
  'qemu-user-static',
  'mmdebstrap',
  'erofs-utils',
  'e2fsprogs',
  'git',
  'gcc',
  'libc6-dev',
];

export const TEST_USER = 'tsbuild-test';

export function say(message) {
  process.stdout.write(`setup: ${message}\n`);
}

/** Runs a command that shows its output; throws when it fails. */
export function sh(command, args, options = {}) {
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], cwd: root, ...options });
}

export function isRoot() {
  return process.getuid() === 0;
}

/** Installs what is missing. As an ordinary user it can only say so. */
export function ensurePackages(packages) {
  const missing = packages.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  if (!existsSync('/usr/bin/apt-get')) {
    throw new Error(
      `this needs Debian or Ubuntu; on other systems install by hand: ${missing.join(' ')}`,
    );
  }
  if (!isRoot()) {
    throw new Error(`packages are missing; as root: apt-get install ${missing.join(' ')}`);
  }
  say(`installing ${missing.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '-q', '--no-install-recommends', ...missing];
  if (spawnSync('apt-get', install, { stdio: 'ignore', env }).status !== 0) {
    sh('apt-get', ['update', '-q'], { env });
    sh('apt-get', install, { env });
  }
  // The tests start registries of their own, on free ports.
  if (missing.includes('docker-registry') && existsSync('/run/systemd/system')) {
    spawnSync('systemctl', ['disable', '--now', 'docker-registry'], { stdio: 'ignore' });
  }
}

function isInstalled(name) {
  const query = spawnSync('dpkg-query', ['-W', '-f=${db:Status-Status}', name], {
    encoding: 'utf8',
  });
  return query.status === 0 && query.stdout === 'installed';
}

/** `npm ci`, unless node_modules already is what package-lock.json says. */
export function ensureModules() {
  const reason = modulesAreStale();
  if (reason === undefined) return;
  say(`npm ci (${reason})`);
  sh('npm', ['ci']);
}

function modulesAreStale() {
  const wanted = lockedPackages('package-lock.json');
  const present = lockedPackages('node_modules/.package-lock.json');
  if (present === undefined) return 'there is no node_modules';
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    if (path === '' || (optional && present[path] === undefined)) continue;
    if (present[path]?.version !== version || !existsSync(new URL(`../${path}`, import.meta.url))) {
      return `${path} is not ${version}`;
    }
  }
  return undefined;
}

function lockedPackages(file) {
  try {
    return JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A system user with subordinate ids, as whom tests run tsbuild without root. */
export function ensureTestUser() {
  const name = TEST_USER;
  if (spawnSync('id', [name], { stdio: 'ignore' }).status !== 0) {
    say(`creating the user ${name}`);
    sh('useradd', [
      '--system',
      '--create-home',
      '--home-dir',
      `/var/lib/${name}`,
      '--shell',
      '/bin/sh',
      name,
    ]);
  }
  for (const [file, flag] of [
    ['/etc/subuid', '--add-subuids'],
    ['/etc/subgid', '--add-subgids'],
  ]) {
    if (subordinateRanges(file).some((range) => range.name === name)) continue;
    const start = Math.max(100_000, ...subordinateRanges(file).map((range) => range.end));
    say(`giving ${name} the ids ${start}-${start + 65_535} in ${file}`);
    sh('usermod', [flag, `${start}-${start + 65_535}`, name]);
  }
}

function subordinateRanges(file) {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return text
    .split('\n')
    .filter((line) => /^[^#:]+:\d+:\d+/.test(line))
    .map((line) => line.split(':'))
    .map(([name, start, count]) => ({ name, end: Number(start) + Number(count) }));
}
