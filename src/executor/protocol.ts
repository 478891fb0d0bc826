/**
 * What the build process and the executor say to each other: plain data, which may go over Node's IPC channel with
 * structured clone. The executor is a child process in its own mount and pid namespace (and, without root, its own user
 * namespace), or, as root, the build process itself (same-process.ts). It mounts, runs containers, and turns the overlay's upper directory into a layer. When either side dies, by
 * any signal, the kernel drops the mounts and kills the containers.
 */
import type { Span } from '../events.ts';
import type { Layer } from '../layer/layer.ts';

/** Something mounted into the container. Sources are host paths, or layers that the executor mounts as a view. */
export type ExecMount =
  | {
      readonly type: 'bind';
      readonly source: string;
      /** Absolute, in the container. */
      readonly target: string;
      readonly readonly: boolean;
      readonly propagation?: string;
    }
  | {
      readonly type: 'tmpfs';
      readonly target: string;
      readonly size?: number;
      readonly mode?: number;
    }
  | {
      /** Files of a stack of layers at `path`; what is written there is dropped. */
      readonly type: 'layers';
      readonly layers: readonly Layer[];
      readonly path: string;
      readonly target: string;
      readonly readonly: boolean;
    }
  | {
      /** A directory of the host that outlives the build, made when it does not exist. */
      readonly type: 'cache';
      readonly source: string;
      readonly target: string;
      readonly readonly: boolean;
      /** Of the directory, when it is made. */
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
      /** What a new one begins with: a directory in a stack of layers. */
      readonly seed?: { readonly layers: readonly Layer[]; readonly path: string };
    }
  | {
      /** A socket that speaks to an ssh agent, and is the container's own. */
      readonly type: 'ssh';
      /** The agent's socket on this host. */
      readonly agent: string;
      readonly target: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      /** A secret: a file that exists only in the executor's tmpfs. */
      readonly type: 'secret';
      readonly content: Uint8Array;
      readonly target: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

export interface ExecRequest {
  /** Names the container; unique. */
  readonly id: string;
  /** Root filesystem, bottom first; empty for `FROM scratch`. */
  readonly layers: readonly Layer[];
  readonly args: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  /** Absolute; made with the owner below when it does not exist. */
  readonly cwd: string;
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly additionalGids: readonly number[];
  };
  readonly hostname?: string;
  readonly network: 'host' | 'none';
  /** `name → address`, for /etc/hosts. */
  readonly addHosts: readonly (readonly [string, string])[];
  readonly readonlyRootfs: boolean;
  readonly mounts: readonly ExecMount[];
  /** `insecure` runs with every capability and without seccomp. */
  readonly security: 'sandbox' | 'insecure';
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  /** Bytes of /dev/shm. */
  readonly shmSize?: number;
  readonly ulimits?: readonly {
    readonly name: string;
    readonly soft: number;
    readonly hard: number;
  }[];
  readonly cgroupParent?: string;
  /** 'none': stdin is empty, output arrives as events. 'inherit': the executor's own stdio (`tsbuild run`). */
  readonly stdio: 'none' | 'inherit';
  /** With `inherit`: give the container a terminal of its own, kept in step with ours. */
  readonly tty?: boolean;
  /** With `inherit`: whether the container reads our stdin; otherwise its stdin is empty. Default: true. */
  readonly stdin?: boolean;
  /** Make a layer of what changed; without it, changes are dropped. Set: SOURCE_DATE_EPOCH clamps later mtimes. */
  readonly commit?: { readonly sourceDateEpoch?: number };
}

export interface ExecResult {
  /** 128 + signal number when a signal ended the process. */
  readonly exitCode: number;
  readonly signal?: string;
  readonly oomKilled?: boolean;
  /** Where the time went. */
  readonly spans: readonly Span[];
  /** With `commit`, when the status was 0 and something changed. Already in the store. */
  readonly layer?: Layer;
}

export interface ExecOptions {
  readonly signal?: AbortSignal;
  readonly onOutput?: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void;
}

/** The build process's side of it. Starting is lazy: the process exists from the first `run` on. */
export interface Executor extends AsyncDisposable {
  /**
   * Runs one process to its end. Several may run at once. Rejects with `signal.reason` when aborted, after the
   * container is dead and unmounted. @throws TsbuildError `UNSUPPORTED_HOST`, `EXECUTOR`, `STORE`, `DISK_FULL`
   */
  run(request: ExecRequest, options?: ExecOptions): Promise<ExecResult>;
  /** Passes a signal to the container's first process. Unknown ids are ignored. */
  kill(id: string, signal: NodeJS.Signals): void;
  /** Starts it ahead of the first `run`, so that its start overlaps other work. Never rejects. */
  warm(): void;
  /** Lets it clear up and end while the caller does other things. A later call starts another. */
  rest(): void;
  /**
   * Removes files and directories with all that is in them, whoever's they are: without root, what containers wrote
   * belongs to ids that only the executor's user namespace can act for. @throws TsbuildError `EXECUTOR`,
   * `UNSUPPORTED_HOST`
   */
  remove(paths: readonly string[]): Promise<void>;
}

export interface ExecutorOptions {
  /** The store's home, see store/. */
  readonly home: string;
  /** File of the executor's entry (`dist/executor.cjs`). */
  readonly entry: string;
  /**
   * Of it, `PATH` is used, to find the OCI runtime and the tools that make namespaces; without it, the usual directories
   * are. `TSBUILD_RUNTIME` says which runtime: `crun` or `runc`. And, for tests, `TSBUILD_MOUNT_FORM`: `erofs`,
   * `erofs-loop`, `directory` or `copy` instead of the best that works here.
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** This process may be given namespaces of its own, see `HostOptions.dedicated`. */
  readonly dedicated?: boolean;
  /** For what deserves to be told: a fallback to a slower form, an old kernel. */
  readonly onWarning?: (message: string) => void;
}
