/** Which snapshotter an executor uses: plain data that says so, for its worker threads, and the snapshotter of it. */
import { type CopyOptions, createCopySnapshotter } from '../snapshot/copy.ts';
import { createOverlaySnapshotter, probeOverlay } from '../snapshot/overlay.ts';
import type { Snapshotter } from '../snapshot/snapshotter.ts';

export interface SnapshotChoice {
  readonly kind: 'overlay' | 'copy';
  readonly directory: string;
  readonly trash: string;
  readonly roots?: string | undefined;
  readonly userXattr: boolean;
}

/** `fill` is what copying does; a thread that only asks for changes needs none. */
export function openSnapshotter(
  choice: SnapshotChoice,
  fill: CopyOptions['fill'] = nothing,
): Snapshotter {
  return choice.kind === 'overlay'
    ? createOverlaySnapshotter(choice)
    : createCopySnapshotter({ ...choice, fill });
}

function nothing(): never {
  throw new TypeError('snapshots are made elsewhere');
}

/** Otherwise says what that means. */
export function overlayWorks(
  places: Omit<SnapshotChoice, 'kind'>,
  onWarning: (message: string) => void,
): boolean {
  const problem = probeOverlay(places);
  if (problem === undefined) return true;
  onWarning(
    `overlayfs does not work here, so each step copies all files of its image: ${problem.message}`,
  );
  return false;
}
