// Asks a Docker Engine what it finds in each of the Dockerfiles of fixtures/lint/cases.txt, which lines of === part, and
// writes its answers to engine.json beside it. Not part of `npm test`.
//   DOCKER='chroot /opt/peers docker' SCRATCH=/bench/record-lint node test/differential/record-lint.mjs
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const [command, ...args] = (process.env.DOCKER ?? 'docker').split(' ');
const scratch = process.env.SCRATCH ?? '/tmp/record-lint';
const fixtures = path.join(import.meta.dirname, '../../fixtures/lint');
const cases = fs.readFileSync(path.join(fixtures, 'cases.txt'), 'utf8').split(/^===\n/m);

function ask(dockerfile) {
  fs.writeFileSync(path.join(scratch, 'Dockerfile'), dockerfile);
  const check = [...args, 'buildx', 'build', '--call=check,format=json', scratch];
  const { stdout, stderr } = spawnSync(command, check, { encoding: 'utf8' });
  if (!stdout.startsWith('{')) throw new Error(`${dockerfile}\n${stderr}`);
  const { warnings, buildError } = JSON.parse(stdout);
  return { dockerfile, warnings: warnings ?? [], ...(buildError ? { buildError } : {}) };
}

fs.mkdirSync(scratch, { recursive: true });
const answers = cases.map(ask);
fs.rmSync(scratch, { recursive: true, force: true });
const lines = answers.map((answer) => `  ${JSON.stringify(answer)}`).join(',\n');
fs.writeFileSync(path.join(fixtures, 'engine.json'), `[\n${lines}\n]\n`);
console.log(`${answers.length} Dockerfiles, ${answers.filter((a) => a.buildError).length} refused`);
