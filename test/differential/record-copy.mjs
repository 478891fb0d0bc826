// Asks a Docker Engine what the instructions of fixtures/copy/cases.txt do, and writes its answers to engine.json beside
// it. Not part of `npm test`: run it as root where an engine is, after adding cases.
//   DOCKER='chroot /opt/peers docker' SCRATCH=/bench/record-copy node test/differential/record-copy.mjs
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const docker = (process.env.DOCKER ?? 'docker').split(' ');
const scratch = process.env.SCRATCH ?? '/tmp/record-copy';
const fixtures = path.join(import.meta.dirname, '../../fixtures/copy');

const BASE = `mkdir -p etc dir/sub bin 'od d' real/deep
printf 'root:x:0:0:root:/root:/bin/sh\\napp:x:1000:1001:App:/home/app:/bin/sh\\nnum:x:77:78::/:/bin/sh\\n' > etc/passwd
printf 'root:x:0:\\napp:x:1001:\\nstaff:x:50:app,num\\nwheel:x:10:app\\n' > etc/group
chmod 700 dir; chown 5:6 dir; chmod 1777 dir/sub; echo hi > dir/file; echo f > file; chown 7:8 file
ln -s /dir link; ln -s dir rel; ln -s /nowhere/x dangling; ln -s loop loop; ln -s file filelink; ln -s ../../../../outside escape
ln -s /real/deep dlink; ln -s ../file dir/up`;

/** `<type><mode> <uid>/<gid> <size> <path>[ -> <target>]`, sorted. */
function describe(root) {
  const lines = [];
  const walk = (relative) => {
    for (const name of fs.readdirSync(path.join(root, relative))) {
      const at = path.join(relative, name);
      const file = path.join(root, at);
      const stat = fs.lstatSync(file);
      const letter = stat.isDirectory()
        ? 'd'
        : stat.isSymbolicLink()
          ? 'l'
          : stat.isFIFO()
            ? 'p'
            : '-';
      const size = letter === '-' ? stat.size : 0;
      const target = letter === 'l' ? ` -> ${fs.readlinkSync(file)}` : '';
      const mode = (stat.mode & 0o7777).toString(8);
      lines.push(`${letter}${mode} ${stat.uid}/${stat.gid} ${size} ${at}${target}`);
      if (letter === 'd') walk(at);
    }
  };
  walk('');
  return lines.sort();
}

function makeFresh(directory, script) {
  fs.rmSync(directory, { recursive: true, force: true });
  fs.mkdirSync(directory, { recursive: true });
  execFileSync('sh', ['-ec', script], { cwd: directory, stdio: 'ignore' });
}

function build(context, dockerfile) {
  fs.writeFileSync(
    path.join(context, 'Dockerfile'),
    dockerfile.replaceAll('FROM base', 'FROM record-copy'),
  );
  const tar = `${context}.tar`;
  const args = ['build', '--no-cache', '--progress=plain', '-o', `type=tar,dest=${tar}`, context];
  const { status } = spawnSync(docker[0], [...docker.slice(1), ...args], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  makeFresh(`${context}.out`, `tar --numeric-owner --same-owner -xpf ${tar}`);
  // The engine puts mount points into what it exports of images that have run.
  return describe(`${context}.out`).filter((line) => !/ (dev|proc|sys)$/.test(line));
}

function parseCases(text) {
  return text
    .split(/^=== /m)
    .slice(1)
    .flatMap((section) => {
      const [setup, ...paragraphs] = section.split(/\n\n+/);
      return paragraphs
        .map((dockerfile) => ({ setup, dockerfile: dockerfile.trimEnd() }))
        .filter((c) => c.dockerfile);
    });
}

process.umask(0o022);
makeFresh(path.join(scratch, 'base'), BASE);
execFileSync('tar', ['-C', path.join(scratch, 'base'), '-cf', path.join(scratch, 'base.tar'), '.']);
execFileSync(
  docker[0],
  [...docker.slice(1), 'import', path.join(scratch, 'base.tar'), 'record-copy'],
  { stdio: 'ignore' },
);
const base = describe(path.join(scratch, 'base'));

const cases = parseCases(fs.readFileSync(path.join(fixtures, 'cases.txt'), 'utf8')).map(
  ({ setup, dockerfile }, index) => {
    // The engine takes contexts of the same name for versions of one.
    const context = path.join(scratch, `context-${process.pid}-${index}`);
    makeFresh(context, setup);
    const files = describe(context);
    const result = build(
      context,
      /^FROM/.test(dockerfile) ? `${dockerfile}\n` : `FROM base\n${dockerfile}\n`,
    );
    const start = /^FROM scratch/.test(dockerfile.slice(dockerfile.lastIndexOf('FROM')))
      ? []
      : base;
    const outcome =
      result === undefined
        ? { fails: true }
        : {
            adds: result.filter((line) => !start.includes(line)),
            removes: start.filter((line) => !result.includes(line)),
          };
    for (const made of [context, `${context}.out`, `${context}.tar`])
      fs.rmSync(made, { recursive: true, force: true });
    return { dockerfile, files, ...outcome };
  },
);
fs.rmSync(scratch, { recursive: true, force: true });

const lines = cases.map((one) => `    ${JSON.stringify(one)}`).join(',\n');
fs.writeFileSync(
  path.join(fixtures, 'engine.json'),
  `{\n  "base": ${JSON.stringify(base)},\n  "cases": [\n${lines}\n  ]\n}\n`,
);
console.log(`${cases.length} cases, ${cases.filter((one) => one.fails).length} refused`);
