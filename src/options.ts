/**
 * What callers of the Node API say and get; the command line turns its flags into exactly these. Plain data: arrays and
 * records where the flags have comma lists. Nothing here has a default that depends on the environment, except that
 * {@link HostOptions} members left out are taken from it by the API's functions.
 */
import type { Readable, Writable } from 'node:stream';
import type { BuildEvent, EventSink } from './events.ts';
import type { Descriptor } from './oci/descriptor.ts';

/** Where things are on this machine. */
export interface HostOptions {
  /** The store; default `TSBUILD_HOME`, else `/var/lib/tsbuild` as root, else `$XDG_DATA_HOME/tsbuild`. */
  readonly home?: string;
  /** Environment for PATH, DOCKER_CONFIG, HOME, proxies, SSH_AUTH_SOCK; default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  /**
   * The process has nothing else to do: as root, its main thread may be given a mount namespace of its own, so that no
   * second process has to be started to run steps. So the command line does.
   */
  readonly dedicated?: boolean;
}

export type NetworkMode = 'default' | 'host' | 'none';

export type OutputType = 'oci' | 'docker' | 'local' | 'tar' | 'image' | 'registry';

export interface OutputOptions {
  readonly type: OutputType;
  /** A file, a directory (`local`, and `oci` with `tar=false`), or a stream. `image` and `registry` have none. */
  readonly dest?: string | Writable;
  /** Other `key=value` members of `-o`, for instance `compression`, `name`, `push`. */
  readonly attributes?: Readonly<Record<string, string>>;
}

export type SecretSource =
  | { readonly file: string }
  | { readonly env: string }
  | { readonly value: string | Uint8Array };

export interface BuildOptions extends HostOptions {
  /** A directory, `-` (an archive or a Dockerfile on `stdin`), or the URL of an archive, a Dockerfile or a git repository. */
  readonly context: string;
  /** Read when `context` or `dockerfile` is `-`. */
  readonly stdin?: Readable;
  /** Path of the Dockerfile, `-` for stdin; relative to the working directory as in docker, or inside a context that is no directory. */
  readonly dockerfile?: string;
  /** The Dockerfile itself, instead of a path. */
  readonly dockerfileText?: string;
  readonly tags?: readonly string[];
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly buildContexts?: Readonly<Record<string, string>>;
  readonly target?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** `KEY=VALUE` for the manifest; `index:KEY=VALUE`, `manifest[linux/amd64]:KEY=VALUE` and the like for others. */
  readonly annotations?: readonly string[];
  readonly platforms?: readonly string[];
  readonly noCache?: boolean;
  readonly noCacheFilter?: readonly string[];
  /** Ask the registry for base images even when the store has them. */
  readonly pull?: boolean;
  readonly network?: NetworkMode;
  /** `host:ip` pairs. */
  readonly addHosts?: readonly (readonly [string, string])[];
  readonly secrets?: Readonly<Record<string, SecretSource>>;
  /** id → agent socket or key files. */
  readonly ssh?: Readonly<Record<string, readonly string[]>>;
  readonly allow?: readonly string[];
  /** Bytes. */
  readonly shmSize?: number;
  readonly ulimits?: readonly {
    readonly name: string;
    readonly soft: number;
    readonly hard: number;
  }[];
  readonly cgroupParent?: string;
  readonly outputs?: readonly OutputOptions[];
  /** Seconds since 1970; also taken from the build argument SOURCE_DATE_EPOCH. */
  readonly sourceDateEpoch?: number;
  /** Steps at once; by default twice the number of cores, and at least 4. */
  readonly parallelism?: number;
}

export interface BuildResult {
  /** Of the manifest (of the index for several platforms). */
  readonly digest: string;
  /** Digest of the image configuration; for several platforms that of the index. */
  readonly imageId: string;
  readonly descriptor: Descriptor;
  readonly names: readonly string[];
  readonly seconds: number;
  readonly steps: { readonly total: number; readonly cached: number };
  /** Digests of what was pushed, by name. */
  readonly pushed: Readonly<Record<string, string>>;
  /** What each output was, in their order. */
  readonly outputs: readonly OutputResult[];
}

export interface OutputResult {
  readonly type: OutputType;
  /** Of the manifest or index that was written or pushed; none for mere files. */
  readonly descriptor?: Descriptor;
  /** Of one platform. */
  readonly imageId?: string;
  readonly names?: readonly string[];
  readonly pushed: Readonly<Record<string, string>>;
}

/**
 * A running operation: await it for its result, iterate it for its events, dispose of it to abort. Nobody has to
 * iterate; events are then dropped. When iterated late or slowly, events are kept up to a bound.
 */
export interface Operation<T> extends Promise<T>, AsyncIterable<BuildEvent>, AsyncDisposable {
  /** Calls `sink` with every event from now on. */
  onEvent(sink: EventSink): this;
  abort(reason?: unknown): void;
}

export interface PullOptions extends HostOptions {
  readonly reference: string;
  readonly platform?: string;
}

export interface PullResult {
  readonly name: string;
  readonly digest: string;
  readonly imageId: string;
  /** Whether anything was fetched. */
  readonly changed: boolean;
}

export interface PushOptions extends HostOptions {
  readonly reference: string;
  /** Name or id of the local image, when it is not `reference`. */
  readonly source?: string;
  /** Only this one; all that the store has by default. */
  readonly platform?: string;
  /** Of layers that are not compressed already; gzip by default. */
  readonly compression?: 'gzip' | 'zstd' | 'none';
  readonly compressionLevel?: number;
  /** Of all layers, also those that came compressed. */
  readonly forceCompression?: boolean;
}

export interface PushResult {
  readonly name: string;
  readonly digest: string;
  /** What the registry has now. */
  readonly descriptor: Descriptor;
}

export interface CopyOptions extends HostOptions {
  /** A reference, `store:NAME`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:NAME]`. */
  readonly source: string;
  readonly destination: string;
  /** Only this one; all by default. */
  readonly platform?: string;
  /** Also what refers to the image: signatures, attestations and the like. */
  readonly referrers?: boolean;
}

export interface CopyResult {
  readonly digest: string;
  readonly descriptor: Descriptor;
}

export interface InspectManifestOptions extends HostOptions {
  readonly reference: string;
  /** Also ask what has this manifest as its subject. */
  readonly referrers?: boolean;
}

export interface ManifestDetails {
  readonly descriptor: Descriptor;
  /** As the registry has them. */
  readonly bytes: Uint8Array;
  readonly referrers?: readonly Descriptor[];
}

export interface CreateIndexOptions extends HostOptions {
  /** Under which it is stored. */
  readonly name: string;
  readonly references: readonly string[];
  /** `KEY=VALUE` for the index; `manifest-descriptor[PLATFORM]:KEY=VALUE`. */
  readonly annotations?: readonly string[];
  /** Make it, and store nothing. */
  readonly dryRun?: boolean;
}

export interface CreateIndexResult extends CopyResult {
  readonly document: unknown;
}

export interface RunOptions extends HostOptions {
  readonly image: string;
  /** Replaces the image's CMD. */
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly containerEnv?: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
  readonly hostname?: string;
  readonly name?: string;
  readonly volumes?: readonly string[];
  readonly network?: 'host' | 'none';
  readonly addHosts?: readonly (readonly [string, string])[];
  readonly readonly?: boolean;
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly remove?: boolean;
  readonly pull?: 'always' | 'missing' | 'never';
  readonly platform?: string;
  /** 'inherit' gives the container this process's stdio; 'events' delivers output as `step.log` events. */
  readonly stdio?: 'inherit' | 'events';
}

export interface RunResult {
  readonly exitCode: number;
  readonly signal?: string;
}

/** What `run` returns: also takes signals for the container's process, as a child process does. */
export interface RunOperation extends Operation<RunResult> {
  /** Without effect before the start and after the end. */
  kill(signal: NodeJS.Signals): void;
}
