/**
 * Running a container: what shall run is a {@link ContainerSpec}, plain data; spec.ts makes the OCI runtime's
 * config.json of it, and a {@link Runtime} runs that to its end. The implementations are runc.ts and crun.ts, held to
 * one suite, test/contract/runtime.ts; choose-runtime.ts takes the faster one that is there.
 *
 * Isolation is Docker's default: its capabilities (capabilities.ts), its masked and read-only paths, a seccomp
 * profile (seccomp.ts), and pid, ipc, uts, mount and cgroup namespaces of its own. One thing is different: access to
 * devices is not limited by a device cgroup, but by mounting everything `nodev`, save for the few nodes of /dev that
 * everybody has. So a container needs no cgroup of its own: none is made unless limits are asked for, none can be
 * left behind, and a machine on which we may not write cgroups will do.
 */
import type { Readable } from 'node:stream';
import type { Cgroup } from './cgroup.ts';
import type { DeviceNodes } from './devices.ts';

export interface ContainerSpec {
  /** Absolute path of the root filesystem. */
  readonly root: string;
  readonly readonlyRoot: boolean;
  readonly args: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly additionalGids: readonly number[];
  };
  readonly hostname: string;
  readonly network: 'host' | 'none';
  /** Beside those that every container has; in order. */
  readonly mounts: readonly RuntimeMount[];
  readonly security: 'sandbox' | 'insecure';
  /** Names with or without `CAP_`, or `ALL`. */
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  /** Bytes. */
  readonly shmSize: number;
  readonly ulimits: readonly Ulimit[];
  /** A terminal of its own, to begin with of this size. */
  readonly terminal?: TerminalSize | undefined;
  /** Nodes to be had in /dev, see devices.ts. */
  readonly devices: DeviceNodes;
}

export interface TerminalSize {
  readonly height: number;
  readonly width: number;
}

/** A mount as config.json has it. */
export interface RuntimeMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface Ulimit {
  /** As in Docker's `--ulimit`: `nofile`. */
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** What this process may do on this host; see abilities.ts. */
export interface Abilities {
  /** In a user namespace. */
  readonly rootless: boolean;
  readonly capabilities: ReadonlySet<string>;
  /** Whether /sys/fs/cgroup is the one hierarchy of version 2. */
  readonly unifiedCgroup: boolean;
  /** Hard limits by ulimit name; absent: unlimited. */
  readonly hardLimits: ReadonlyMap<string, number>;
}

/** Descriptors of this process, or pipes whose bytes are handed over. */
export interface ContainerIO {
  /** A stream is read until the container ends, and then destroyed. */
  readonly stdin: 'none' | Readable | number;
  readonly stdout: 'pipe' | number;
  readonly stderr: 'pipe' | number;
}

export interface ContainerExit {
  /** 128 + signal number when a signal ended it; 127 or 126 when its program is missing or cannot be run. */
  readonly exitCode: number;
  readonly signal?: NodeJS.Signals;
  /** Why the program could not be started. */
  readonly reason?: string;
}

/** Statuses of a shell, and of `docker run`: https://docs.docker.com/engine/containers/run/#exit-status */
export const NOT_EXECUTABLE = 126;
export const NOT_FOUND = 127;

export interface RunOptions {
  readonly io: ContainerIO;
  /** The container has a terminal of its own, and `io` is one: it is put into raw mode, and its size is passed on. */
  readonly terminal?: boolean;
  /** To be joined by the container. */
  readonly cgroup?: Cgroup;
  readonly signal?: AbortSignal;
  /** Called for each piece of a piped stream; the stream waits until the promise is fulfilled. */
  readonly onOutput?: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => Promise<void>;
}

/** Disposing of it ends what waits for a next container; none may run. */
export interface Runtime extends Disposable {
  /**
   * Runs the container that `config`, the text of a config.json, describes to its end: afterwards no process of it lives.
   * Rejects with `signal.reason` when aborted, then too. @throws TsbuildError `EXECUTOR` if the runtime itself failed
   */
  run(id: string, config: string, options: RunOptions): Promise<ContainerExit>;
  /** Sends a signal to the container's first process, and says whether there is one: not yet, or no more. */
  kill(id: string, signal: NodeJS.Signals): boolean;
}
