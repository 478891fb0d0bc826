// Asks a Docker Engine which files are left by each of the .dockerignore files in fixtures/dockerignore/cases.json, and
// writes its answers to engine.json beside it. Not part of `npm test`.
//   DOCKER='chroot /opt/peers docker' SCRATCH=/bench/record-ignore node test/differential/record-ignore.mjs
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const docker = (process.env.DOCKER ?? 'docker').split(' ');
const scratch = process.env.SCRATCH ?? '/tmp/record-ignore';
const fixtures = path.join(import.meta.dirname, '../../fixtures/dockerignore');
const { files, rules } = JSON.parse(fs.readFileSync(path.join(fixtures, 'cases.json'), 'utf8'));

/** Paths below `root`, directories with a slash. */
function list(root, relative = '') {
  return fs.readdirSync(path.join(root, relative), { withFileTypes: true }).flatMap((entry) => {
    const at = relative === '' ? entry.name : `${relative}/${entry.name}`;
    return entry.isDirectory() ? [`${at}/`, ...list(root, at)] : [at];
  });
}

function ask(text, index) {
  // The engine takes contexts of the same name for versions of one.
  const context = path.join(scratch, `context-${process.pid}-${index}`);
  const dockerfile = `${context}.Dockerfile`;
  const out = `${context}.out`;
  for (const file of files) {
    fs.mkdirSync(path.join(context, path.dirname(`${file}x`)), { recursive: true });
    if (!file.endsWith('/')) fs.writeFileSync(path.join(context, file), '');
  }
  fs.writeFileSync(path.join(context, '.dockerignore'), text);
  fs.writeFileSync(dockerfile, 'FROM scratch\nCOPY . /o/\n');
  fs.mkdirSync(out, { recursive: true });
  const args = [
    'build',
    '--no-cache',
    '-q',
    '-f',
    dockerfile,
    '-o',
    `type=tar,dest=${out}.tar`,
    context,
  ];
  const { status } = spawnSync(docker[0], [...docker.slice(1), ...args], { encoding: 'utf8' });
  let left = null;
  if (status === 0) {
    execFileSync('tar', ['-C', out, '-xf', `${out}.tar`], { stdio: 'ignore' });
    left = list(path.join(out, 'o')).sort();
  }
  for (const made of [context, dockerfile, out, `${out}.tar`])
    fs.rmSync(made, { recursive: true, force: true });
  return { text, left };
}

const answers = rules.map(ask);
fs.rmSync(scratch, { recursive: true, force: true });
const lines = answers.map((answer) => `  ${JSON.stringify(answer)}`).join(',\n');
fs.writeFileSync(path.join(fixtures, 'engine.json'), `[\n${lines}\n]\n`);
console.log(
  `${answers.length} files, ${answers.filter(({ left }) => left === null).length} refused`,
);
