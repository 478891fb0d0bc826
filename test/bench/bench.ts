/** The place where everything happens: directories, tools, and the rounds of a workload. */
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BaseImages, BaseName } from './base-images.ts';
import { type Context, writeContext } from './contexts.ts';
import type { ToolResult, WorkloadResult } from './goals.ts';
import { type Command, type Measurement, measure } from './measure.ts';
import type { Span, Tool } from './tools/tool.ts';
import type { Scene, Workload } from './workloads/workload.ts';

export interface Bench {
  readonly directory: string;
  readonly bases: BaseImages;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** What has been made already, by tool: bases that were loaded, contexts that were written. */
  readonly made: Set<string>;
  /** When commands ran, by tool. */
  readonly worked: Map<Tool, Span[]>;
  say(message: string): void;
}

interface Tally {
  readonly tool: Tool;
  readonly seconds: number[];
  readonly peakRss: number[];
  readonly sentBytes: number[];
  failure?: string;
}

/** A round that warms up and `rounds` that count, the tools one after the other in each. A tool that fails is out. */
export async function runWorkload(
  bench: Bench,
  workload: Workload,
  tools: readonly Tool[],
  rounds: number,
): Promise<WorkloadResult> {
  const tallies: Tally[] = tools.map((tool) => ({
    tool,
    seconds: [],
    peakRss: [],
    sentBytes: [],
  }));
  for (let round = 0; round <= rounds; round += 1) {
    for (const tally of tallies) {
      if (tally.failure !== undefined) continue;
      try {
        const taken = await runRound(bench, workload, tally.tool, round);
        const { seconds, peakRss, sentBytes } = taken;
        bench.say(`${workload.name} ${tally.tool.name} ${round}: ${seconds.toFixed(3)} s`);
        if (round === 0) continue;
        tally.seconds.push(seconds);
        tally.peakRss.push(peakRss);
        if (sentBytes !== undefined) tally.sentBytes.push(sentBytes);
      } catch (error) {
        bench.signal.throwIfAborted();
        tally.failure = (error as Error).message;
        bench.say(`${workload.name} ${tally.tool.name} failed: ${tally.failure}`);
      }
    }
  }
  const { name, title, goal } = workload;
  return { name, title, goal, results: tallies.map(toolResult) };
}

function toolResult({ tool, seconds, peakRss, sentBytes, failure }: Tally): ToolResult {
  return {
    tool: tool.name,
    seconds,
    peakRss,
    ...(sentBytes.length > 0 ? { sentBytes } : {}),
    ...(failure === undefined ? {} : { failure }),
  };
}

async function runRound(
  bench: Bench,
  workload: Workload,
  tool: Tool,
  round: number,
): Promise<Measurement & { readonly sentBytes: number | undefined }> {
  const scene = await openScene(bench, workload, tool, round);
  const { commands, finish } = await workload.round(scene);
  let measurement: Measurement | undefined;
  let sentBytes: number | undefined;
  try {
    // What one tool left to be written is not written while the next is measured.
    await promisify(execFile)('sync', ['-f', bench.directory]);
    measurement = await work(bench, tool, commands);
  } finally {
    sentBytes = await finish?.(measurement !== undefined);
  }
  return { ...measurement, sentBytes };
}

async function openScene(
  bench: Bench,
  workload: Workload,
  tool: Tool,
  round: number,
): Promise<Scene> {
  const run = async (command: Command) => {
    await work(bench, tool, [command]);
  };
  if (workload.base !== undefined) await ensureBase(bench, workload.base, tool);
  const directory = join(bench.directory, tool.name);
  mkdirSync(directory, { recursive: true });
  const context =
    workload.context === undefined ? '' : ensureContext(bench, workload.context, tool);
  const image = `localhost/tsbuild-bench/${workload.name}:1`;
  return { tool, context, image, round, directory, bases: bench.bases, run };
}

async function ensureBase(bench: Bench, base: BaseName, tool: Tool): Promise<void> {
  if (!isFirst(bench, `${tool.name}: base ${base}`)) return;
  await work(bench, tool, [tool.load(bench.bases.archive(base))]);
}

/** Two workloads with the same context share it. */
export function ensureContext(bench: Bench, context: Context, tool: Tool): string {
  const directory = join(
    bench.directory,
    'contexts',
    `${context.name}-${tool.name}-${process.pid}`,
  );
  if (isFirst(bench, `${tool.name}: context ${context.name}`)) writeContext(directory, context);
  return directory;
}

function isFirst({ made }: Bench, what: string): boolean {
  return made.size < made.add(what).size;
}

async function work(bench: Bench, tool: Tool, commands: readonly Command[]): Promise<Measurement> {
  const start = Date.now();
  try {
    return await measure(commands, {
      env: { ...bench.env, ...tool.env },
      log: join(bench.directory, `${tool.name}.log`),
      daemons: tool.daemons,
      signal: bench.signal,
    });
  } finally {
    const spans = bench.worked.get(tool) ?? [];
    bench.worked.set(tool, [...spans, { start, end: Date.now() }]);
  }
}
