/** Entry of the executor process: the first process of its pid namespace, started by launch.ts, spoken to by client.ts. */
import { serve } from './serve.ts';

serve({
  onMessage: (listener) => process.on('message', listener),
  // The build process is gone: everything here goes with this process.
  onDisconnect: (listener) => process.on('disconnect', listener),
  send: (message) =>
    new Promise((resolve) => {
      process.send?.(message, undefined, {}, () => resolve());
    }),
  exit: (status) => process.exit(status),
});
