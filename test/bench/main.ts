/**
 * `npm run bench`: tsbuild and every builder that is found beside it do the same work on the same contexts, one after
 * the other in every round (A B C, A B C, …), so that what else the machine does falls on all of them alike. What
 * counts is the ratio; the seconds are this machine's.
 *
 * A workload (`workloads/`) says what to do, a tool (`tools/`) how that is said to it, and `bench.ts` runs the rounds.
 * Everything is put below one directory and removed in the end, with the images and the caches of the tools.
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openBaseImages } from './base-images.ts';
import { type Bench, runWorkload } from './bench.ts';
import type { WorkloadResult } from './goals.ts';
import { type GrowthResult, runSeries, SERIES } from './growth.ts';
import { describeMachine, machineLine } from './machine.ts';
import { type BenchOptions, choose, parseOptions, USAGE } from './options.ts';
import { failures, goalText, growthTable, workloadTable } from './report.ts';
import { findTools } from './tools/find.ts';
import type { Tool } from './tools/tool.ts';
import { WORKLOADS } from './workloads.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** @returns the exit status: 1 when something failed, whether or not goals were met */
export async function main(
  args: readonly string[],
  env: Environment,
  root: string,
): Promise<number> {
  let options: BenchOptions;
  try {
    options = parseOptions(args);
    choose<{ readonly name: string }>(options.growth ? SERIES : WORKLOADS, options.only);
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (options.help) process.stdout.write(USAGE);
  else if (options.list) process.stdout.write(listing());
  else return inBench(options, env, root);
  return 0;
}

function listing(): string {
  const workloads = WORKLOADS.map(
    ({ name, title, goal }) => `${name.padEnd(18)} ${title}: ${goalText(goal)}\n`,
  );
  const series = SERIES.map(
    ({ name, unit, sizes, more }) =>
      `${name.padEnd(18)} ${[...sizes, ...more].join(', ')} ${unit}\n`,
  );
  return `${workloads.join('')}\nwith --growth:\n${series.join('')}`;
}

/** Opens everything, and closes all of it again whatever happens; an interrupt ends the bench as a failure does. */
async function inBench(options: BenchOptions, surrounding: Environment, root: string) {
  const parent = surrounding.BENCH_DIR || tmpdir();
  mkdirSync(parent, { recursive: true });
  const directory = mkdtempSync(join(parent, 'tsbuild-bench-'));
  const downloads = surrounding.BENCH_DIR ? join(parent, 'tsbuild-bench-bases') : directory;
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort(new Error('interrupted'));
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, onSignal);
  const say = (message: string) => process.stderr.write(`bench: ${message}\n`);
  // It makes every start of Node read a file of certificates, which is no tool's doing.
  const { NODE_EXTRA_CA_CERTS: _, ...env } = surrounding;
  // The registries of the workloads write below the temporary directory.
  process.env.TMPDIR = directory;
  const bench: Bench = {
    directory,
    bases: openBaseImages(downloads, say),
    env,
    signal: interrupt.signal,
    made: new Set(),
    worked: new Map(),
    say,
  };
  let tools: readonly Tool[] = [];
  try {
    const host = {
      directory,
      env,
      network: options.network,
      output: (command: readonly string[], seconds?: number) => output(command, env, seconds),
    };
    tools = await findTools(host, ensureBuilt(root, env, say), say);
    return await runAll(bench, choose(tools, options.tools), options);
  } catch (error) {
    say((error as Error).message);
    return 1;
  } finally {
    for (const tool of tools) {
      await tool
        .cleanUp(bench.worked.get(tool) ?? [])
        .catch((error) => say(`${tool.name}: ${error.message}`));
    }
    rmSync(directory, { recursive: true, force: true });
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, onSignal);
  }
}

async function output(
  command: readonly string[],
  env: Environment,
  seconds = 600,
): Promise<string> {
  const [file, ...args] = command as [string, ...string[]];
  const { stdout } = await promisify(execFile)(file, args, {
    env: env as NodeJS.ProcessEnv,
    maxBuffer: 1 << 28,
    timeout: seconds * 1000,
  });
  return stdout;
}

function ensureBuilt(root: string, env: Environment, say: (message: string) => void): string {
  const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const entry = join(root, bin.tsbuild);
  if (!existsSync(entry) && !env.BENCH_TSBUILD) {
    say('building tsbuild');
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' });
  }
  return entry;
}

async function runAll(bench: Bench, tools: readonly Tool[], options: BenchOptions) {
  const machine = describeMachine(bench.directory);
  const date = new Date().toISOString().slice(0, 10);
  const versions = tools.map(({ name, version }) => `${name} ${version}`).join(', ');
  process.stdout.write(`${date}, ${machineLine(machine)}; ${versions}\n`);
  const network = options.network === 'host' ? "the machine's network" : "the peers' own network";
  process.stdout.write(`Medians (and ranges) of ${options.rounds} rounds, on ${network}.\n\n`);
  const workloads = options.growth ? [] : await measureWorkloads(bench, tools, options);
  const growth = options.growth ? await measureGrowth(bench, tools, options) : [];
  if (options.json !== undefined) {
    const text = JSON.stringify(
      {
        date,
        machine,
        tools: tools.map(({ name, version }) => ({ name, version })),
        rounds: options.rounds,
        network: options.network,
        workloads,
        growth,
      },
      null,
      2,
    );
    writeFileSync(options.json, `${text}\n`);
  }
  const failed =
    workloads.some(({ results }) => results.some(({ failure }) => failure !== undefined)) ||
    growth.some(({ points }) => points.some(({ failure }) => failure !== undefined));
  return failed ? 1 : 0;
}

async function measureWorkloads(bench: Bench, tools: readonly Tool[], options: BenchOptions) {
  const results: WorkloadResult[] = [];
  for (const workload of choose(WORKLOADS, options.only)) {
    results.push(await runWorkload(bench, workload, tools, options.rounds));
  }
  const names = tools.map(({ name }) => name);
  process.stdout.write(`${workloadTable(results, names)}\n${failures(results)}`);
  return results;
}

async function measureGrowth(bench: Bench, tools: readonly Tool[], options: BenchOptions) {
  const tool = tools.find(({ name }) => name === 'tsbuild');
  if (tool === undefined) throw new Error('growth is measured of tsbuild, which is left out');
  const results: GrowthResult[] = [];
  for (const series of choose(SERIES, options.only)) {
    const result = await runSeries(bench, series, tool, options);
    process.stdout.write(`${growthTable(result)}\n`);
    results.push(result);
  }
  return results;
}
