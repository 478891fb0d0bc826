/** Builds: warm ones, cold ones, many steps, many files, large files, parallel stages, steps that write much. */
import { join } from 'node:path';
import {
  type Context,
  largeFiles,
  project,
  smallFiles,
  sourceName,
  touchRound,
} from '../contexts.ts';
import {
  COPY_DATA_AND_RUN,
  COPY_TREE_AND_RUN,
  DEBIAN_COPIES_TREE,
  DEBIAN_STEPS,
  manySteps,
  ONE_STEP_BEHIND_SOURCES,
  smallRuns,
  THREE_SLEEPING_STAGES,
  TWELVE_STEPS,
} from './dockerfiles.ts';
import { buildRound, newLayerRound, type Scene, type Workload } from './workload.ts';

const TWELVE: Context = { name: 'twelve-steps', dockerfile: TWELVE_STEPS, files: project(200) };

const TREE: Context = { name: 'tree', dockerfile: COPY_TREE_AND_RUN, files: smallFiles(20_000) };

export const LARGE: Context = {
  name: 'large',
  dockerfile: COPY_DATA_AND_RUN,
  files: largeFiles(512),
};

const unchanged = (scene: Scene) => buildRound(scene);
const withoutCache = (scene: Scene) => buildRound(scene, { noCache: true });

export const BUILDS: readonly Workload[] = [
  {
    name: 'unchanged-12',
    title: 'nothing changed, 12 steps, 200-file context',
    goal: { ratio: 0.25 },
    base: 'busybox',
    context: TWELVE,
    round: unchanged,
  },
  {
    name: 'unchanged-120',
    title: 'nothing changed, 120 steps',
    goal: { ratio: 0.2 },
    base: 'busybox',
    context: { name: 'many-steps', dockerfile: manySteps(120), files: project(200) },
    round: unchanged,
  },
  {
    name: 'one-changed',
    title: 'one of 200 source files changed, the RUN behind it reruns',
    goal: { ratio: 0.3 },
    base: 'busybox',
    context: { name: 'sources', dockerfile: ONE_STEP_BEHIND_SOURCES, files: project(200) },
    round(scene) {
      touchRound(join(scene.context, 'src', sourceName(scene.round % 200)), scene.round);
      return buildRound(scene);
    },
  },
  {
    name: 'no-cache-12',
    title: '12 steps, no cache',
    goal: { ratio: 0.4 },
    base: 'busybox',
    context: TWELVE,
    round: withoutCache,
  },
  {
    name: 'run-30',
    title: '30 small RUN steps, no cache',
    goal: { ratio: 0.25 },
    base: 'busybox',
    context: { name: 'small-runs', dockerfile: smallRuns(30) },
    round: withoutCache,
  },
  {
    name: 'copy-20k',
    title: 'COPY of 20,000 small files, no cache, then a RUN',
    goal: { ratio: 0.12 },
    base: 'busybox',
    context: TREE,
    round: withoutCache,
  },
  {
    name: 'copy-20k-changed',
    title: 'the same, one file changed',
    goal: { ratio: 0.12 },
    base: 'busybox',
    context: TREE,
    round: (scene) => newLayerRound(scene, 'tree'),
  },
  {
    name: 'copy-20k-unchanged',
    title: 'the same, nothing changed',
    goal: { ratio: 0.25 },
    base: 'busybox',
    context: TREE,
    round: unchanged,
  },
  {
    name: 'copy-512m',
    title: 'COPY of 512 MB, no cache, then a RUN',
    goal: { ratio: 0.5 },
    base: 'busybox',
    context: LARGE,
    round: withoutCache,
  },
  {
    name: 'copy-512m-changed',
    title: 'the same, one file changed',
    goal: { ratio: 0.5 },
    base: 'busybox',
    context: LARGE,
    round: (scene) => newLayerRound(scene, 'data'),
  },
  {
    name: 'stages',
    title: '3 independent stages of `sleep 2`',
    goal: { seconds: 2.4 },
    base: 'busybox',
    context: { name: 'stages', dockerfile: THREE_SLEEPING_STAGES },
    round: withoutCache,
  },
  {
    name: 'debian-steps',
    title: '10 RUN steps on a Debian base, each deleting and adding files',
    goal: { ratio: 0.3 },
    base: 'debian',
    context: { name: 'debian-steps', dockerfile: DEBIAN_STEPS },
    round: withoutCache,
  },
  {
    name: 'copy-tree',
    title: 'RUN that copies a 150 MB tree',
    goal: { ratio: 0.7 },
    base: 'debian',
    context: { name: 'copy-tree', dockerfile: DEBIAN_COPIES_TREE },
    round: withoutCache,
  },
];
