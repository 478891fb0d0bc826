/**
 * A build process for tests, to be started as any user and killed at any moment: it runs what it is told on an
 * executor.
 */
import { createExecutor } from '../../src/executor/client.ts';
import type { ExecRequest } from '../../src/executor/protocol.ts';

export type ToDriver =
  | { readonly type: 'run'; readonly run: number; readonly request: ExecRequest }
  | { readonly type: 'abort'; readonly run: number }
  | { readonly type: 'kill'; readonly id: string; readonly signal: NodeJS.Signals }
  | { readonly type: 'warm' }
  | { readonly type: 'stop' };

const [home, entry, PATH, TSBUILD_RUNTIME, dedicated] = process.argv.slice(2);
const executor = createExecutor({
  home: home!,
  entry: entry!,
  env: { PATH, TSBUILD_RUNTIME },
  dedicated: dedicated === 'true',
  onWarning: (message) => process.send!({ type: 'warning', message }),
});
const aborts = new Map<number, AbortController>();

process.on('disconnect', () => process.exit(0));
process.on('message', async (message: ToDriver) => {
  if (message.type === 'run') await run(message.run, message.request);
  if (message.type === 'abort') aborts.get(message.run)?.abort(new Error('aborted by the test'));
  if (message.type === 'kill') executor.kill(message.id, message.signal);
  if (message.type === 'warm') executor.warm();
  if (message.type === 'stop') {
    await executor[Symbol.asyncDispose]();
    process.exit(0);
  }
});

async function run(number: number, request: ExecRequest): Promise<void> {
  const abort = new AbortController();
  aborts.set(number, abort);
  try {
    const result = await executor.run(request, {
      signal: abort.signal,
      onOutput: (stream, bytes) => process.send!({ type: 'output', run: number, stream, bytes }),
    });
    process.send!({ type: 'done', run: number, result });
  } catch (error) {
    const { message, code, hint } = error as Error & { code?: string; hint?: string };
    process.send!({ type: 'failed', run: number, error: { message, code, hint } });
  }
}
