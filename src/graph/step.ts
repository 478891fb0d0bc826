/**
 * The graph of a build: stages become steps, and a step names the steps it builds upon. Plain data.
 *
 * Only what makes files is a step: an image's layers, a RUN, a COPY or ADD, a WORKDIR that may make a directory.
 * Instructions that only change configuration are folded into their stage's configuration while planning, since nothing
 * they do depends on a file.
 *
 * A step's id tells it apart within one build. It is not its cache key, which the scheduler derives from content.
 */
import type {
  BindMount,
  SecretMount,
  SshMount,
  TmpfsMount,
  CacheMount as WrittenCache,
} from '../dockerfile/mount.ts';
import type { SourceLocation } from '../errors.ts';
import type { HistoryEntry, ImageConfig } from '../oci/config.ts';
import type { Platform } from '../oci/platform.ts';

export type StepId = string & { readonly __step?: never };

export interface Step<O extends Op = Op> {
  readonly id: StepId;
  readonly op: O;
  /** The step whose files this one starts from; absent for `FROM scratch` and for images. */
  readonly parent?: StepId;
  /** Other steps whose files it reads, in the order in which the op numbers them. */
  readonly inputs: readonly StepId[];
  /** `RUN make`: stable, without numbers; also names the cache record. */
  readonly name: string;
  /** `[build 3/7] RUN make`. */
  readonly display: string;
  readonly stage: string;
  readonly location?: SourceLocation;
  readonly platform: Platform;
  /** Do not take the result from the cache (`--no-cache`, `--no-cache-filter`). */
  readonly noCache: boolean;
}

export type Op = ImageOp | RunOp | CopyOp | WorkdirOp;

/** The layers of an image that exists in the store by the time it is looked at. */
export interface ImageOp {
  readonly type: 'image';
  /** As the Dockerfile has it. */
  readonly reference: string;
  /** Index into the plan's images. */
  readonly image: number;
}

/** Where files come from: a named context, the files of an input step, or the instruction itself. */
export type FileSource =
  | { readonly type: 'context'; readonly name: string }
  | { readonly type: 'input'; readonly input: number }
  /** A stage without any file. */
  | { readonly type: 'nothing' };

export interface CopyOp {
  readonly type: 'copy';
  readonly instruction: 'COPY' | 'ADD';
  readonly from: FileSource;
  /** Words after expansion. For ADD they may be URLs. */
  readonly sources: readonly string[];
  /** Here-documents, as files. */
  readonly inline: readonly { readonly name: string; readonly content: string }[];
  readonly destination: string;
  readonly workdir: string;
  readonly chown?: string;
  readonly chmod?: string;
  readonly parents: boolean;
  readonly exclude: readonly string[];
  /** ADD only. */
  readonly unpack?: boolean;
  readonly checksum?: string;
  readonly keepGitDir?: boolean;
}

export interface WorkdirOp {
  readonly type: 'workdir';
  readonly path: string;
  /** The USER in force owns it. */
  readonly user?: string;
}

export type CacheMount = Omit<WrittenCache, 'from' | 'source' | 'mode' | 'uid' | 'gid'> & {
  readonly source: string;
  readonly from?: FileSource;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
};

/** `RUN --mount`, its variables expanded and its origin found. */
export type RunMount =
  | (Omit<BindMount, 'from' | 'source'> & { readonly from: FileSource; readonly source: string })
  | CacheMount
  | TmpfsMount
  | SecretMount
  | (SshMount & { readonly target: string });

export interface RunOp {
  readonly type: 'run';
  /** What is executed, the shell included. */
  readonly args: readonly string[];
  /** A here-document with a shebang: a file that `args` names, mounted for the time of the step. */
  readonly script?: { readonly path: string; readonly content: string };
  /** `NAME=value`: ENV and the ARGs in scope. Part of the key. */
  readonly env: readonly string[];
  /** Predefined proxy arguments: seen by the process before what `env` says of them, not part of the key. */
  readonly proxyEnv: readonly string[];
  /** Another host name than usual. */
  readonly hostname?: string;
  readonly user: string;
  readonly workdir: string;
  readonly mounts: readonly RunMount[];
  readonly network: 'default' | 'host' | 'none';
  readonly security: 'sandbox' | 'insecure';
}

/** An image that a plan starts from or copies from. */
export interface PlanImage {
  readonly reference: string;
  readonly platform: Platform;
}

/** One line of an image's history, and the step that made its layer, if any. */
export interface PlannedHistory {
  readonly entry: HistoryEntry;
  readonly step?: StepId;
}

export interface PlannedStage {
  readonly name: string;
  readonly index: number;
  readonly platform: Platform;
  /** The step with the stage's files; absent when there are none (`FROM scratch` and configuration alone). */
  readonly result?: StepId;
  /** Without `rootfs` and `created`, which the result brings. */
  readonly config: Omit<ImageConfig, 'rootfs' | 'created' | 'history'>;
  readonly history: readonly PlannedHistory[];
  readonly base?: { readonly image: number };
}

export interface Plan {
  readonly steps: ReadonlyMap<StepId, Step>;
  /** What image steps number. */
  readonly images: readonly PlanImage[];
  /** One for each platform, in the order in which they were asked for. */
  readonly targets: readonly PlannedStage[];
}
