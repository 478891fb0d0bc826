/**
 * The live display. What has ended is written once and scrolls away; below it stand the steps that run, each with its
 * timer, its transfers and its last lines of output. A frame is one write, at most ten times a second: the cursor goes
 * up over the old frame, each line is written over the old one and cleared to its end, so nothing flickers. Frames
 * never are higher or wider than the terminal, because a line that wraps or scrolls could not be taken back.
 */
import { type BuildEvent, monotonicNow } from '../events.ts';
import type { Progress, ProgressOptions, ProgressStream } from './progress.ts';
import { fitText } from './text-width.ts';
import { liveLines } from './tty-lines.ts';
import { createModel, type Model, update } from './tty-model.ts';

const FRAME_MS = 100;
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
// Terminals that know synchronized output show the frame at once; others ignore it.
const BEGIN_FRAME = '\x1b[?2026h';
const END_FRAME = '\x1b[?2026l';

export interface TtyProgress extends Progress {
  /** Draws now. */
  draw(): void;
}

export function createTty(stream: ProgressStream, options: ProgressOptions = {}): TtyProgress {
  const now = options.now ?? monotonicNow;
  const model = createModel(options.color ?? true);
  let height = 0;
  let timer: NodeJS.Timeout | undefined;
  const draw = () => {
    const frame = nextFrame(model, height, now(), stream);
    height = frame.height;
    if (frame.text !== '') stream.write(`${BEGIN_FRAME}${frame.text}${END_FRAME}`);
  };
  const start = () => {
    stream.write(HIDE_CURSOR);
    timer = setInterval(draw, FRAME_MS);
    timer.unref();
  };
  const stop = () => {
    draw();
    if (timer === undefined) return;
    clearInterval(timer);
    timer = undefined;
    stream.write(SHOW_CURSOR);
  };
  return {
    draw,
    sink(event: BuildEvent) {
      update(model, event, now());
      // Between steps the terminal is as it was: a container of `tsbuild run` may take it over at any moment.
      if (model.running.size === 0) stop();
      else if (timer === undefined) start();
    },
    close() {
      model.running.clear();
      stop();
    },
  };
}

/** The control sequences and text that turn the old frame, `height` lines high, into the next. */
function nextFrame(
  model: Model,
  height: number,
  now: number,
  stream: ProgressStream,
): { text: string; height: number } {
  const width = (stream.columns ?? 80) - 1;
  const ended = model.ended.splice(0);
  const live = liveLines(model, now, width, (stream.rows ?? 24) - 2).map((line) =>
    fitText(line, width),
  );
  if (ended.length === 0 && live.length === 0 && height === 0) return { text: '', height: 0 };
  const up = height > 0 ? `\x1b[${height}A\r` : '';
  const lines = [...ended, ...live].map((line) => `${line}\x1b[K\n`);
  // What the old frame had below the new one goes.
  return { text: `${up}${lines.join('')}\x1b[J`, height: live.length };
}
