/** An executor that is a child process, see launch.ts, spoken to over Node's IPC channel with structured clone. */
import type { ChildProcess } from 'node:child_process';
import type { Meet } from './peer.ts';

/** Characters of its stderr that are kept for an error. */
const TAIL = 4096;

export function meetChild(child: ChildProcess): Meet {
  return ({ onMessage, onEnd }) => {
    child.on('message', onMessage);
    child.once('error', (error) => onEnd(error.message));
    child.once('close', (status, signal) => onEnd(signal ?? `status ${status}`));
    return {
      isThere: () => child.connected,
      send: (message) => {
        // A process that has just died is noticed by `close`.
        if (child.connected) child.send(message, () => {});
      },
      kill: () => void child.kill('SIGKILL'),
      lastWords: keepTail(child),
    };
  };
}

function keepTail(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (piece: string) => {
      text = (text + piece).slice(-TAIL);
    });
  }
  return () => text.trim();
}
