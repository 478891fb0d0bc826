/** A build as its events tell it: what the displays are shown in tests. */
import type { BuildEvent } from '../../src/events.ts';

/** Each event at its time in milliseconds. */
export const RECORDED: readonly (readonly [number, BuildEvent])[] = [
  [
    0,
    {
      type: 'plan',
      steps: [
        { id: 'a', kind: 'pull', name: 'pull localhost:5000/base:1' },
        { id: 'b', kind: 'run', name: '[build 2/3] RUN make', stage: 'build' },
        { id: 'c', kind: 'copy', name: '[stage-1 2/2] COPY --from=build /app /app' },
      ],
    },
  ],
  [0, { type: 'step.start', step: 'a' }],
  [100, progress('sha256:aa', 1_000_000, 4_000_000)],
  [1100, progress('sha256:aa', 3_000_000, 4_000_000)],
  [1200, { ...progress('sha256:aa', 4_000_000, 4_000_000), done: true }],
  [1200, { ...progress('sha256:bb', 0, 10), done: true, note: 'exists' }],
  [1300, { type: 'step.end', step: 'a', outcome: 'done', seconds: 1.3 }],
  [1300, { type: 'step.start', step: 'b' }],
  [1400, { type: 'step.log', step: 'b', stream: 'stdout', text: 'cc -c ap' }],
  [1500, { type: 'step.log', step: 'b', stream: 'stdout', text: 'p.c\n10%\r20%\rdone\nlast' }],
  [
    1600,
    {
      type: 'warning',
      rule: 'StageNameCasing',
      message: 'lower case please',
      location: { file: 'Dockerfile', line: 2 },
    },
  ],
  [
    3400,
    {
      type: 'step.end',
      step: 'b',
      outcome: 'done',
      seconds: 2.1,
      bytes: 4_096_000,
      missed: 'args changed',
    },
  ],
  [3400, { type: 'step.start', step: 'c' }],
  [3410, { type: 'step.end', step: 'c', outcome: 'cached', seconds: 0 }],
  [3420, { type: 'result', digest: 'sha256:0123', names: ['app:latest'], seconds: 3.42 }],
];

function progress(item: string, current: number, total: number) {
  return { type: 'step.progress', step: 'a', item, current, total, unit: 'bytes' } as const;
}
