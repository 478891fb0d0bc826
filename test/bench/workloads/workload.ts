/**
 * One thing that people wait for, done by every tool. A workload is data and one function: `round` makes everything
 * ready, which is not timed, and returns the commands that are. Add one to the list in `workloads.ts`.
 */
import { join } from 'node:path';
import type { BaseImages, BaseName } from '../base-images.ts';
import { type Context, touchRound } from '../contexts.ts';
import type { Goal } from '../goals.ts';
import type { Command } from '../measure.ts';
import type { Tool } from '../tools/tool.ts';

export interface Workload {
  readonly name: string;
  readonly title: string;
  readonly goal: Goal;
  /** The image that the context begins FROM, loaded before. */
  readonly base?: BaseName;
  readonly context?: Context;
  round(scene: Scene): Round | Promise<Round>;
}

/** A tool at work on a workload. */
export interface Scene {
  readonly tool: Tool;
  /** The tool's own copy of the workload's context; empty where there is none. */
  readonly context: string;
  /** The name to build under. */
  readonly image: string;
  /** 0 is the round that warms up. */
  readonly round: number;
  /** Where files of this scene may be put. */
  readonly directory: string;
  readonly bases: BaseImages;
  /** Runs a command outside of the measurement. */
  run(command: Command): Promise<void>;
}

export interface Round {
  readonly commands: readonly Command[];
  /** Called after the commands, whether they succeeded or not; resolves with the bytes sent, where that is of interest. */
  finish?(succeeded: boolean): Promise<number | undefined>;
}

/** The most common round: a build. */
export function buildRound(scene: Scene, options: { readonly noCache?: boolean } = {}): Round {
  const { tool, context, image } = scene;
  return { commands: [tool.build({ context, image, ...options })] };
}

/** Without cache, and with a changed file in a directory that is copied, so that its layer is not the one of the round before. */
export function newLayerRound(scene: Scene, directory: string): Round {
  touchRound(join(scene.context, directory, 'round'), scene.round);
  return buildRound(scene, { noCache: true });
}
