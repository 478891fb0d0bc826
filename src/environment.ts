/**
 * The parts that an operation of the API works with, made when they are first asked for and closed together at its end.
 * This is where implementations are chosen and where the process's environment enters.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultHome } from './default-home.ts';
import { TsbuildError } from './errors.ts';
import type { EventSink } from './events.ts';
import type { Executor } from './executor/protocol.ts';
import { lazily } from './host/lazily.ts';
import type { Workers } from './host/workers.ts';
import type { HostOptions } from './options.ts';
import type { RegistryClient } from './registry/client.ts';
import { openStore, type Store } from './store/store.ts';

export interface Environment extends AsyncDisposable {
  readonly store: Store;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cores: number;
  /** What relative paths of options begin at. */
  readonly workdir: string;
  workers(): Promise<Workers>;
  registry(): Promise<RegistryClient>;
  executor(): Promise<Executor>;
}

/** `emit` is told of warnings. */
export function openEnvironment(options: HostOptions, emit: EventSink): Environment {
  const env = options.env ?? process.env;
  const home = options.home ?? defaultHome(env);
  const onWarning = (message: string) => emit({ type: 'warning', message });
  const opened: Promise<AsyncDisposable>[] = [];
  const once = <T extends AsyncDisposable>(open: () => Promise<T>) =>
    lazily(() => {
      const part = open();
      opened.push(part);
      return part;
    });
  const cores = availableParallelism();
  return {
    store: openStore(home),
    env,
    cores,
    workdir: workingDirectory(),
    workers: once(async () => {
      const { createWorkers } = await import('./host/workers.ts');
      return createWorkers({ entry: entryFile('worker'), size: cores });
    }),
    registry: once(async () => {
      const { openRegistry } = await import('./registry-settings.ts');
      return openRegistry(env, onWarning);
    }),
    executor: once(async () => {
      const { createExecutor } = await import('./executor/client.ts');
      const { dedicated = false } = options;
      return createExecutor({ home, entry: entryFile('executor'), env, dedicated, onWarning });
    }),
    async [Symbol.asyncDispose]() {
      // Also those that nobody has waited for. What could not be opened has failed whoever asked for it.
      const parts = await Promise.allSettled(opened.reverse());
      for (const part of parts) {
        try {
          if (part.status === 'fulfilled') await part.value[Symbol.asyncDispose]();
        } catch (error) {
          // A failed clean-up must not replace the error that the operation ends with.
          onWarning(`clean-up failed: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    },
  };
}

/** @throws TsbuildError `NOT_FOUND` */
function workingDirectory(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new TsbuildError('NOT_FOUND', 'the working directory has been removed', {
      cause,
      hint: 'go to one that exists',
    });
  }
}

/** A process entry of the built package: beside this file in dist/, or in dist/ when run from source. */
export function entryFile(name: 'executor' | 'worker'): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const built = join(here, `${name}.cjs`);
  return existsSync(built) ? built : join(here, '..', 'dist', `${name}.cjs`);
}
