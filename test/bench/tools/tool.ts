/**
 * A builder that is measured, as the command lines of what it can do: one file each beside this one. A tool works on
 * images of the benchmark's own names; {@link Tool.cleanUp} removes whatever came of that.
 */
import type { Command } from '../measure.ts';

export type ToolName = 'tsbuild' | 'docker' | 'buildah';

export interface BuildCommand {
  readonly context: string;
  readonly image: string;
  readonly noCache?: boolean | undefined;
}

export type Compression = 'gzip' | 'zstd';

export interface Tool {
  readonly name: ToolName;
  readonly version: string;
  /** Set for its commands, besides the environment of the benchmark. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of processes that work for it without being its children. */
  readonly daemons?: RegExp;
  build(command: BuildCommand): Command;
  /** Makes the image of a `docker save` archive known. */
  load(archive: string): Command;
  /** Pushes an image that has just been built in `context`, with layers compressed as asked if the tool can. */
  push(image: string, context: string, compression: Compression): Command;
  pull(image: string): Command;
  /** Leaves nothing of an image, so that a pull fetches all of it. */
  forget(image: string): readonly Command[];
  save(image: string, file: string): Command;
  /** Starts a container and waits for its end. */
  run(image: string, command: readonly string[]): Command;
  /** @param worked when its commands ran */
  cleanUp(worked: readonly Span[]): Promise<void>;
}

/** Milliseconds since 1970. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where a tool may put things, and how it runs what is not measured. */
export interface ToolHost {
  readonly directory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of containers, where it is not the tool's own choice. */
  readonly network: 'host' | 'default';
  /** Resolves with what the command wrote to its standard output. @throws Error, also after ten minutes or `seconds` */
  output(command: Command, seconds?: number): Promise<string>;
}
