/** Image configuration: image-spec config.md, and the fields that Docker adds (Healthcheck, OnBuild, Shell). */
import * as v from 'valibot';
import { type DiffID, parseDigest } from './digest.ts';
import { check, parseJson } from './manifest.ts';

export interface Healthcheck {
  /** `['NONE']`, `['CMD', …]` or `['CMD-SHELL', line]`. */
  readonly Test?: readonly string[];
  /** Nanoseconds, as all durations here. */
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/** How a container made from the image runs: the `config` member. */
export interface RunConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, Record<string, never>>>;
  /** `NAME=value`, in order. */
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly Volumes?: Readonly<Record<string, Record<string, never>>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly Healthcheck?: Healthcheck;
  readonly OnBuild?: readonly string[];
  readonly Shell?: readonly string[];
  readonly ArgsEscaped?: boolean;
}

export interface HistoryEntry {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

export interface ImageConfig {
  /** RFC 3339. */
  readonly created?: string;
  readonly author?: string;
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
  readonly config?: RunConfig;
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly DiffID[] };
  readonly history?: readonly HistoryEntry[];
}

const strings = v.nullish(v.array(v.string()));
const stringMap = v.nullish(mapOf((member) => typeof member === 'string'));
const emptyMap = v.nullish(mapOf((member) => typeof member === 'object'));

const runConfigSchema = v.looseObject({
  User: v.nullish(v.string()),
  ExposedPorts: emptyMap,
  Env: strings,
  Entrypoint: strings,
  Cmd: strings,
  Volumes: emptyMap,
  WorkingDir: v.nullish(v.string()),
  Labels: stringMap,
  StopSignal: v.nullish(v.string()),
  Healthcheck: v.nullish(v.looseObject({ Test: strings })),
  OnBuild: strings,
  Shell: strings,
});

const configSchema = v.looseObject({
  created: v.nullish(v.string()),
  author: v.nullish(v.string()),
  architecture: v.string(),
  os: v.string(),
  variant: v.nullish(v.string()),
  config: v.nullish(runConfigSchema),
  rootfs: v.looseObject({
    type: v.literal('layers'),
    diff_ids: v.nullish(
      v.array(
        v.pipe(
          v.string(),
          v.regex(/^sha256:[0-9a-f]{64}$/, 'not a sha256 digest'),
          v.transform((text) => parseDigest<DiffID>(text)),
        ),
      ),
      [],
    ),
  }),
  history: v.nullish(
    v.array(
      v.looseObject({
        created: v.nullish(v.string()),
        created_by: v.nullish(v.string()),
        author: v.nullish(v.string()),
        comment: v.nullish(v.string()),
        empty_layer: v.nullish(v.boolean()),
      }),
    ),
  ),
});

/** A map whose keys are anyone's: `v.record` leaves out those that are called `constructor` or `__proto__`. */
function mapOf(isMember: (member: unknown) => boolean) {
  return v.custom<Readonly<Record<string, unknown>>>(
    (value) =>
      typeof value === 'object' &&
      value !== null &&
      !Array.isArray(value) &&
      Object.values(value).every(isMember),
    'not a map, or a member of it is of the wrong type',
  );
}

/** Reads an image configuration; fields that are `null` are taken as absent. @throws TsbuildError `MANIFEST` */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  return dropNulls(
    check(configSchema, parseJson(bytes, 'image configuration'), 'image configuration'),
  ) as ImageConfig;
}

/** `Env` as a map; a later value replaces an earlier one. */
export function envMap(env: readonly string[] | undefined): Map<string, string> {
  return new Map(
    (env ?? []).map((entry) => {
      const at = entry.indexOf('=');
      return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}

function dropNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(dropNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null && member !== undefined)
      .map(([key, member]) => [key, dropNulls(member)]),
  );
}
