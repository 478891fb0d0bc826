/**
 * `npm run differential [-- PATTERN …]`: builds each case of fixtures/differential with a Docker Engine and with tsbuild,
 * and compares success, every file, and the configuration. Needs an engine: DIFF_DOCKER (default `docker`; for instance
 * `chroot /opt/peers docker`), and DIFF_DIR, a directory that both see at the same path (default: a temporary one).
 * DIFF_TSBUILD is another command than the bundled one, and DIFF_PATIENCE is how many seconds a command may take. With DIFF_SHOW=1 it also tells what either side said when both refuse.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadBase } from './base.js';
import { readCase, writeCase } from './case-file.js';
import { compareConfigs, compareFiles, compareHistory, compareRefusals } from './compare.js';

const root = resolve(fileURLToPath(import.meta.url), '../../..');
const docker = (process.env.DIFF_DOCKER ?? 'docker').split(' ');
const tsbuild = process.env.DIFF_TSBUILD?.split(' ') ?? [
  process.execPath,
  join(root, 'dist/tsbuild.cjs'),
];
const scratch = mkdtempSync(join(process.env.DIFF_DIR ?? tmpdir(), 'differential-'));
const env = { ...process.env, TSBUILD_HOME: join(scratch, 'home'), DOCKER_BUILDKIT: '1' };
/** Seconds for one command. */
const PATIENCE = Number(process.env.DIFF_PATIENCE ?? 60);
/** What timeout(1) ends with: its own status, or that of what only SIGKILL could end. */
const TIMED_OUT = new Set([124, 137]);

/** What hangs is killed, with all that it started, and has failed. */
function run(command, more, options = {}) {
  const result = spawnSync('timeout', ['--kill-after=5', `${PATIENCE}`, ...command, ...more], {
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    ...options,
  });
  if (result.error) throw result.error;
  return { ...result, isHung: TIMED_OUT.has(result.status) };
}

/** Serves `scratch`. @returns {Promise<{ url: string, stop: () => void }>} */
function startServer() {
  const program = join(root, 'test/differential/file-server.js');
  const child = spawn(process.execPath, [program, scratch], { stdio: ['pipe', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.stdout.once('data', (port) => {
      resolve({ url: `http://127.0.0.1:${Number(port)}`, stop: () => child.stdin.end() });
    });
  });
}

function main(server) {
  const patterns = process.argv.slice(2);
  const directory = join(root, 'fixtures/differential');
  const files = readdirSync(directory)
    .filter(
      (name) =>
        name.endsWith('.txt') && (patterns.length === 0 || patterns.some((p) => name.includes(p))),
    )
    .sort();
  loadBase({ run, docker, tsbuild, scratch });
  const outcome = { same: 0, accepted: 0, different: [] };
  for (const file of files) {
    const { differences, accepted } = compareCase(join(directory, file), server);
    if (differences.length === 0) outcome.same += 1;
    else if (accepted !== undefined) outcome.accepted += 1;
    else outcome.different.push(file);
    const mark =
      differences.length === 0 ? 'same     ' : accepted === undefined ? 'DIFFERENT' : 'accepted ';
    console.log(
      `${mark} ${basename(file, '.txt')}${differences.length > 0 && accepted ? `: ${accepted}` : ''}`,
    );
    if (accepted === undefined)
      for (const difference of differences.slice(0, 30)) console.log(`          ${difference}`);
  }
  console.log(
    `${outcome.same} same, ${outcome.accepted} accepted, ${outcome.different.length} different`,
  );
  return outcome.different.length === 0 ? 0 : 1;
}

function compareCase(file, server) {
  const name = `diff-${basename(file, '.txt').toLowerCase()}`;
  const context = join(scratch, name);
  const parsed = readCase(file, { context, server: `${server}/${name}` });
  mkdirSync(context);
  writeCase(parsed, context);
  const engine = [...docker, 'buildx', 'build', '--network=host'];
  const theirs = build(engine, name, parsed, 'theirs.tar');
  const ours = build([...tsbuild, 'build'], name, parsed, 'ours.tar');
  return { differences: compareBuilds(name, theirs, ours), accepted: parsed.accepted };
}

function compareBuilds(name, theirs, ours) {
  const hung = Object.entries({ engine: theirs, tsbuild: ours }).filter(([, side]) => side.isHung);
  if (hung.length > 0) return hung.map(([side]) => `${side} hangs: killed after ${PATIENCE} s`);
  const said = (side) => side.stderr.trim().split('\n').slice(-6).join('\n            ');
  if (theirs.ok !== ours.ok) {
    return [
      `engine ${theirs.ok ? 'builds' : 'refuses'}, tsbuild ${ours.ok ? 'builds' : 'refuses'}`,
      said(theirs.ok ? ours : theirs),
    ];
  }
  if (!theirs.ok) {
    if (process.env.DIFF_SHOW)
      console.log(`            ${said(theirs)}\n            ${said(ours)}`);
    return compareRefusals(theirs.stderr, ours.stderr);
  }
  const config = (side) => JSON.parse(run(side, [name]).stdout)[0];
  const history = (side) =>
    run(side, ['history', '--no-trunc', '--format', 'json', name])
      .stdout.split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  return [
    ...compareFiles(theirs.tar, ours.tar),
    ...compareConfigs(config([...docker, 'image', 'inspect']), config([...tsbuild, 'inspect'])),
    ...compareHistory(history(docker), history(tsbuild)),
  ];
}

function build(command, name, { flags, context, stdin }, output) {
  const tar = join(scratch, output);
  const input = stdin === undefined ? {} : { input: readFileSync(join(scratch, name, stdin)) };
  const image = run(command, [...flags, '-t', name, context], input);
  if (image.status !== 0) return { ok: false, isHung: image.isHung, stderr: image.stderr };
  const files = run(command, [...flags, '-o', `type=tar,dest=${tar}`, context], input);
  if (files.isHung) return { ok: false, isHung: true, stderr: files.stderr };
  if (files.status !== 0) throw new Error(`cannot write the files of ${name}: ${files.stderr}`);
  return { ok: true, tar, stderr: image.stderr };
}

const server = await startServer();
try {
  process.exitCode = main(server.url);
} finally {
  server.stop();
  rmSync(scratch, { recursive: true, force: true });
}
