/**
 * Makes build contexts out of what this machine has, so that the examples need no registry: a `busybox` base image, a
 * `node` base image out of the Node that runs this, and a `toolchain` image out of Debian packages. Plain Node.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/** The context of examples/base: its Dockerfile, and the static busybox of Debian's busybox-static. */
export function prepareBusybox(directory) {
  mkdirSync(directory, { recursive: true });
  cpSync(join(here, 'base', 'Dockerfile'), join(directory, 'Dockerfile'));
  cpSync('/bin/busybox', join(directory, 'busybox'), { dereference: true });
}

/** Node, the libraries that it is linked with, and npm, on top of `busybox`. */
export function prepareNode(directory) {
  const root = join(directory, 'root');
  const libraries = execFileSync('ldd', [process.execPath], { encoding: 'utf8' });
  for (const [path] of libraries.matchAll(/\/\S+(?= \(0x)/g)) {
    copyTo(path, join(root, path));
  }
  copyTo(process.execPath, join(root, 'usr/bin/node'));
  const npm = join(execFileSync('npm', ['root', '-g'], { encoding: 'utf8' }).trim(), 'npm');
  copyTo(npm, join(root, 'usr/lib/node_modules/npm'));
  writeFileSync(
    join(directory, 'Dockerfile'),
    `FROM busybox
COPY root/ /
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/bin/npm
CMD ["node"]
`,
  );
}

/** Debian's C compiler with all that it depends on, as one archive that ADD unpacks. */
export function prepareToolchain(directory) {
  mkdirSync(directory, { recursive: true });
  const packages = installedClosure(['gcc', 'libc6-dev', 'dash', 'coreutils', 'grep']);
  const listed = execFileSync('dpkg', ['-L', ...packages], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const names = listed.split('\n').filter((name) => name.startsWith('/') && !isDocumentation(name));
  // dpkg still says /lib where the file is in /usr/lib: names are taken as they are on disk.
  const real = new Set(names.flatMap((name) => realName(name) ?? []));
  const list = join(directory, 'names');
  writeFileSync(list, [...real].sort().join('\n'));
  execFileSync('tar', [
    '-cf',
    join(directory, 'root.tar'),
    '-C',
    '/',
    '--no-recursion',
    '-T',
    list,
  ]);
  writeFileSync(
    join(directory, 'Dockerfile'),
    `FROM scratch
ADD root.tar /
RUN ["/usr/bin/ln", "-sf", "dash", "/usr/bin/sh"]
CMD ["sh"]
`,
  );
}

function copyTo(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(realpathSync(from), to, { recursive: true });
}

function installedClosure(names) {
  const options = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'];
  const args = ['depends', '--recurse', '--installed', ...options.map((each) => `--no-${each}`)];
  const text = execFileSync('apt-cache', [...args, ...names], { encoding: 'utf8' });
  const closure = text.split('\n').filter((line) => /^[a-z0-9]/.test(line));
  const query = ['-W', '-f', '${db:Status-Status} ${Package}\n', ...closure];
  const installed = execFileSync('dpkg-query', query, { encoding: 'utf8' });
  return [...installed.matchAll(/^installed (\S+)$/gm)].map((match) => match[1]);
}

function isDocumentation(name) {
  return /^\/usr\/share\/(doc|man|locale|info|lintian|bug)(\/|$)/.test(name);
}

/** `bin/ls` → `usr/bin/ls` where /bin is a link; `undefined` for what is not there. */
function realName(name) {
  if (name === '/.') return undefined;
  try {
    return join(realpathSync(dirname(name)), basename(name)).slice(1);
  } catch {
    return undefined;
  }
}
