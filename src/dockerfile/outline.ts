/**
 * What a Dockerfile asks of who builds it: its targets, and for one of them the arguments, secrets and ssh agents that it
 * takes. The shape is that of `docker buildx build --call=targets|outline,format=json`.
 */
import type { SourceLocation } from '../errors.ts';
import type { Arg, Instruction } from './instruction.ts';
import { mountFrom, parseMount } from './mount.ts';
import type { Dockerfile } from './parse.ts';
import { findBaseStage, findTarget, type Stage, splitStages, stageReferences } from './stages.ts';
import { expandWordDetails } from './words.ts';

export interface Place {
  readonly ranges: readonly {
    readonly start: { readonly line: number };
    readonly end: { readonly line: number };
  }[];
}

export interface TargetRow {
  readonly name?: string;
  readonly default?: true;
  readonly description?: string;
  readonly base: string;
  readonly platform?: string;
  readonly location: Place;
}

export interface OutlineRow {
  readonly name: string;
  readonly description?: string;
  readonly value?: string;
  readonly required?: true;
  readonly location: Place;
}

export interface Outline {
  readonly name?: string;
  readonly description?: string;
  readonly args: readonly OutlineRow[];
  readonly secrets: readonly OutlineRow[];
  readonly ssh: readonly OutlineRow[];
}

export interface OutlineOptions {
  readonly target?: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  /** The automatic arguments: known to all, and shown to nobody. */
  readonly platformArgs: Readonly<Record<string, string>>;
}

export function targetsOf(dockerfile: Dockerfile): readonly TargetRow[] {
  const { stages } = splitStages(dockerfile);
  return stages.map((stage) => ({
    ...named(stage),
    ...(stage === stages.at(-1) ? { default: true } : {}),
    base: stage.from.base,
    ...(stage.from.platform === undefined ? {} : { platform: stage.from.platform }),
    location: placeOf(stage.from.location),
  }));
}

/** @throws TsbuildError `DOCKERFILE_REFERENCE` for a target that does not exist */
export function outlineOf(dockerfile: Dockerfile, options: OutlineOptions): Outline {
  const { stages, globalArgs } = splitStages(dockerfile);
  const target = findTarget(stages, options.target);
  const reading: Reading = {
    dockerfile,
    options,
    stages,
    globals: new Map(),
    rows: new Map(),
    secrets: [],
    ssh: [],
  };
  const values = new Map(Object.entries(options.platformArgs));
  for (const arg of globalArgs) {
    for (const row of argRows(reading, arg, values)) reading.globals.set(row.name, row);
  }
  readStage(reading, target, new Map());
  const byLine = (a: OutlineRow, b: OutlineRow) =>
    a.location.ranges[0]!.start.line - b.location.ranges[0]!.start.line;
  return {
    ...named(target),
    args: [...reading.rows.values()].sort(byLine),
    secrets: distinct(reading.secrets).sort(byLine),
    ssh: distinct(reading.ssh).sort(byLine),
  };
}

interface Reading {
  readonly dockerfile: Dockerfile;
  readonly options: OutlineOptions;
  readonly stages: readonly Stage[];
  readonly globals: Map<string, OutlineRow>;
  /** By name and line. */
  readonly rows: Map<string, OutlineRow>;
  readonly secrets: OutlineRow[];
  readonly ssh: OutlineRow[];
}

/** Reads a stage and those it needs; returns the variables that it ends with. */
function readStage(
  reading: Reading,
  stage: Stage,
  done: Map<Stage, Map<string, string>>,
): Map<string, string> {
  const known = done.get(stage);
  if (known !== undefined) return known;
  const { stages, globals } = reading;
  const globalValues = new Map(
    [...globals].flatMap(([name, { value }]) => (value === undefined ? [] : [[name, value]])),
  );
  const base = expandQuietly(stage.from.base, globalValues, reading.dockerfile.escape);
  for (const name of base.matched) note(reading, globals.get(name));
  const parent = findBaseStage(stages, base.result, stage.index);
  const env = new Map(parent === undefined ? [] : readStage(reading, parent, done));
  done.set(stage, env);
  for (const { stage: other } of stageReferences(stages, stage)) readStage(reading, other, done);
  for (const instruction of stage.instructions) readInstruction(reading, instruction, env);
  return env;
}

function readInstruction(
  reading: Reading,
  instruction: Instruction,
  env: Map<string, string>,
): void {
  if (instruction.kind === 'env') {
    const values = instruction.pairs.map(
      ({ key, value }) =>
        [key, expandQuietly(value, env, reading.dockerfile.escape).result] as const,
    );
    for (const [name, value] of values) env.set(name, value);
  } else if (instruction.kind === 'arg') {
    for (const row of argRows(reading, instruction, env)) {
      if (!Object.hasOwn(reading.options.platformArgs, row.name)) note(reading, row);
    }
  } else if (instruction.kind === 'run') {
    for (const text of instruction.mounts) readMount(reading, instruction.location, text, env);
  }
}

function readMount(
  reading: Reading,
  location: SourceLocation,
  text: string,
  env: Map<string, string>,
): void {
  if (mountFrom(text) !== undefined) return;
  const mount = parseMount(text, {
    location,
    expand: (word) => expandQuietly(word, env, reading.dockerfile.escape).result,
  });
  if (mount.type !== 'secret' && mount.type !== 'ssh') return;
  const row = {
    name: mount.id,
    ...(mount.required ? { required: true as const } : {}),
    location: placeOf(location),
  };
  (mount.type === 'secret' ? reading.secrets : reading.ssh).push(row);
}

/** The arguments of an ARG with their values, which go into `env`. One without default is the global one of its name. */
function argRows(
  reading: Reading,
  { args, location, comments }: Arg,
  env: Map<string, string>,
): OutlineRow[] {
  const { buildArgs } = reading.options;
  return args.map(({ name, value: standard }) => {
    const given = Object.hasOwn(buildArgs, name) ? buildArgs[name] : undefined;
    const inherited = standard === undefined ? reading.globals.get(name) : undefined;
    const value =
      given ??
      (standard === undefined
        ? inherited?.value
        : expandQuietly(standard, env, reading.dockerfile.escape).result);
    if (value !== undefined) env.set(name, value);
    if (inherited !== undefined) return inherited;
    const description = describe(comments, name);
    return {
      name,
      ...(description ? { description } : {}),
      ...(value === undefined ? {} : { value }),
      location: placeOf(location),
    };
  });
}

function note(reading: Reading, row: OutlineRow | undefined): void {
  if (row !== undefined) reading.rows.set(`${row.name} ${row.location.ranges[0]!.start.line}`, row);
}

function named(stage: Stage): { name?: string; description?: string } {
  if (stage.name === undefined) return {};
  const description = describe(stage.from.comments, stage.name);
  return { name: stage.name, ...(description ? { description } : {}) };
}

/** A comment line above describes a name if it begins with it. */
function describe(comments: readonly string[], name: string): string | undefined {
  const line = comments
    .map((comment) => comment.trim())
    .find((comment) => comment.toLowerCase().startsWith(`${name.toLowerCase()} `));
  return line?.slice(name.length + 1).trim();
}

/** A description must not fail where only the build would. */
function expandQuietly(word: string, env: ReadonlyMap<string, string>, character: string) {
  try {
    return expandWordDetails(word, Object.fromEntries(env), { escape: character });
  } catch {
    return { result: word, matched: new Set<string>() };
  }
}

function distinct(rows: readonly OutlineRow[]): OutlineRow[] {
  return [...new Map(rows.toReversed().map((row) => [row.name, row])).values()];
}

function placeOf({ line, endLine = line }: SourceLocation): Place {
  const lines = Array.from({ length: endLine - line + 1 }, (_, offset) => ({
    line: line + offset,
  }));
  return { ranges: lines.map((at) => ({ start: at, end: at })) };
}
