/**
 * `npm run real [-- PATTERN …]`: builds and runs the images of cases.js with tsbuild. Their base is a Debian made by
 * mmdebstrap, or REAL_ROOTFS, a tar of one. With an engine (DIFF_DOCKER and DIFF_DIR, see test/differential/run.js), it
 * builds them too, and configurations, and files where they can be the same, are compared.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compareConfigs, compareFiles } from '../differential/compare.js';
import { CASES } from './cases.js';

const root = resolve(fileURLToPath(import.meta.url), '../../..');
const tsbuild = [process.execPath, join(root, 'dist/tsbuild.cjs')];
const docker = process.env.DIFF_DOCKER?.split(' ');
const scratch = mkdtempSync(join(process.env.DIFF_DIR ?? tmpdir(), 'real-'));
const env = { ...process.env, TSBUILD_HOME: join(scratch, 'home') };
const BASE = 'debian:bookworm-slim';

function run([command, ...args], more, options = {}) {
  const limits = { encoding: 'utf8', maxBuffer: 1 << 28, timeout: 600_000 };
  const result = spawnSync(command, [...args, ...more], { env, ...limits, ...options });
  if (result.error) throw result.error;
  return result;
}

function must(command, more) {
  const { status, stdout, stderr } = run(command, more);
  if (status !== 0) throw new Error(`${command[0]} ${more.join(' ')}: ${stderr.slice(-2000)}`);
  return stdout;
}

/** Both sides begin from the same bytes. */
function makeBase() {
  const context = join(scratch, 'base');
  const rootfs = join(context, 'rootfs.tar');
  mkdirSync(context);
  if (process.env.REAL_ROOTFS) cpSync(resolve(process.env.REAL_ROOTFS), rootfs);
  else must(['mmdebstrap'], ['--quiet', '--variant=minbase', 'bookworm', rootfs]);
  writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nADD rootfs.tar /\nCMD ["bash"]\n');
  must(tsbuild, ['build', '-t', BASE, context]);
  if (docker === undefined) return;
  const archive = join(scratch, 'base.tar');
  must(tsbuild, ['save', '--format=docker', '-o', archive, BASE]);
  must(docker, ['load', '-i', archive]);
}

/** What is wrong; nothing if all is well. */
function checkCase({ name, prints, sameFiles }) {
  const context = join(scratch, name);
  cpSync(join(root, 'fixtures/real', name), context, { recursive: true });
  // The engine would fetch a frontend.
  const dockerfile = join(context, 'Dockerfile');
  writeFileSync(dockerfile, readFileSync(dockerfile, 'utf8').replace(/^# syntax=.*\n/, ''));
  const ours = build([...tsbuild, 'build'], `real-${name}`, context, sameFiles);
  if (ours.error) return [ours.error];
  const { stdout, stderr, status } = runImage(`real-${name}`);
  const isRight = typeof prints === 'string' ? stdout === prints : prints.test(stdout);
  const printed = isRight && status === 0 ? [] : [`prints ${JSON.stringify(stdout)} ${stderr}`];
  if (docker === undefined) return printed;
  const engine = [...docker, 'buildx', 'build', '--network=host'];
  const theirs = build(engine, `real-${name}`, context, sameFiles);
  if (theirs.error) return [...printed, `engine: ${theirs.error}`];
  const config = (side) => JSON.parse(must(side, [`real-${name}`]))[0];
  return [
    ...printed,
    ...compareConfigs(config([...docker, 'image', 'inspect']), config([...tsbuild, 'inspect'])),
    ...(sameFiles ? compareFiles(theirs.tar, ours.tar) : []),
  ];
}

/** Into files: what Node gives a child as a pipe is a socket, which /dev/stdout cannot be opened for. */
function runImage(name) {
  const files = ['stdout', 'stderr'].map((stream) => join(scratch, stream));
  const descriptors = files.map((file) => openSync(file, 'w'));
  try {
    const { status } = run([...tsbuild, 'run', '--rm', name], [], {
      stdio: ['ignore', ...descriptors],
    });
    const [stdout, stderr] = files.map((file) => readFileSync(file, 'utf8'));
    return { status, stdout, stderr };
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}

function build(command, name, context, wantsFiles) {
  const image = run(command, ['-t', name, context]);
  if (image.status !== 0) return { error: image.stderr.slice(-2000) };
  if (!wantsFiles) return {};
  const tar = join(scratch, `${name}-${command.length}.tar`);
  must(command, ['-o', `type=tar,dest=${tar}`, context]);
  return { tar };
}

function main() {
  const patterns = process.argv.slice(2);
  const chosen = CASES.filter(
    ({ name }) => patterns.length === 0 || patterns.some((pattern) => name.includes(pattern)),
  );
  makeBase();
  let failed = 0;
  for (const one of chosen) {
    const started = performance.now();
    const wrong = checkCase(one);
    if (wrong.length > 0) failed += 1;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${wrong.length === 0 ? 'right' : 'WRONG'} ${one.name} (${seconds} s)`);
    for (const line of wrong.slice(0, 20)) console.log(`      ${line}`);
  }
  console.log(`${chosen.length - failed} right, ${failed} wrong`);
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = main();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
