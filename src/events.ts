/**
 * What a build tells while it works. Progress displays, `--progress=json` and the Node API see only these.
 * The union is versioned by {@link EVENTS_VERSION}; fields are added, never changed.
 */
import type { SourceLocation } from './errors.ts';

export const EVENTS_VERSION = 1;

export type StepKind =
  | 'image'
  | 'context'
  | 'run'
  | 'copy'
  | 'config'
  | 'export'
  | 'push'
  | 'pull'
  | 'load';

export interface StepInfo {
  /** Stable within one build. */
  readonly id: string;
  readonly kind: StepKind;
  /** For display: `[build 3/7] RUN make`, or `push localhost:5000/app:1`. */
  readonly name: string;
  readonly stage?: string;
  readonly platform?: string;
  readonly location?: SourceLocation;
}

export type StepOutcome = 'done' | 'cached' | 'failed' | 'canceled';

/** Something the Dockerfile's author should know; never fatal. */
export interface Warning {
  readonly rule?: string;
  readonly message: string;
  readonly url?: string;
  readonly location?: SourceLocation;
}

export interface Span {
  readonly name: SpanName;
  readonly step?: string;
  /** Milliseconds since 1970, with fractions: comparable between processes. */
  readonly since: number;
  readonly milliseconds: number;
}

export type SpanName =
  // Looking for what must be done: the Dockerfile, keys of steps, files of the context.
  | 'parse'
  | 'key'
  | 'stat'
  // Layers of files.
  | 'copy'
  // A RUN: its root filesystem, the container, what it changed, and clearing up.
  | 'mount'
  | 'run'
  | 'diff'
  | 'unmount'
  // Shipping.
  | 'compress'
  | 'upload'
  | 'download';

interface EventBodies {
  /** Steps that will be looked at; may come more than once, always before their `step.start`. */
  plan: { readonly steps: readonly StepInfo[] };
  'step.start': { readonly step: string };
  /** One piece of output as the process wrote it; lines may be split over pieces. */
  'step.log': {
    readonly step: string;
    readonly stream: 'stdout' | 'stderr';
    readonly text: string;
  };
  /** A part of a step with a measure, for instance one blob of a pull. `total` is absent where unknown. */
  'step.progress': {
    readonly step: string;
    readonly item: string;
    readonly current: number;
    readonly total?: number;
    readonly unit: 'bytes' | 'files';
    /** Ended: `current` is final. */
    readonly done?: boolean;
    /** Why there was nothing to do: `exists`, `mounted`. */
    readonly note?: string;
  };
  'step.end': {
    readonly step: string;
    readonly outcome: StepOutcome;
    readonly seconds: number;
    /** Bytes of the layer that the step made, if any. */
    readonly bytes?: number;
    readonly message?: string;
    /** Why no record answered: `parent, args changed`, against the record of the same step that is nearest. */
    readonly missed?: string;
  };
  /** A part of the work, measured for `--trace`. Parts run at once, and lie in one another. */
  span: Span;
  warning: Warning;
  /** The end of a successful operation. */
  result: { readonly digest?: string; readonly names: readonly string[]; readonly seconds: number };
}

export type BuildEvent = {
  [T in keyof EventBodies]: { readonly type: T } & EventBodies[T];
}[keyof EventBodies];
export type BuildEventOf<T extends BuildEvent['type']> = Extract<BuildEvent, { type: T }>;

/** Where events go. Must not throw, and must return at once. */
export type EventSink = (event: BuildEvent) => void;

/** Begins a span; the function that it returns ends it. */
export function startSpan(
  report: (span: BuildEventOf<'span'>) => void,
  name: SpanName,
  step?: string,
): () => void {
  const since = epochNow();
  return () => {
    const milliseconds = epochNow() - since;
    report({ type: 'span', name, ...(step === undefined ? {} : { step }), since, milliseconds });
  };
}

/** Milliseconds by a clock that never goes back. For `performance.now` Node first loads a module, for a millisecond. */
export function monotonicNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

const EPOCH = Date.now() - monotonicNow();

/** As Date.now, but finer, and never going back. */
export function epochNow(): number {
  return EPOCH + monotonicNow();
}
