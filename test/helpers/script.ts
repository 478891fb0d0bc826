/** Real processes for tests of what processes do to each other: a piece of TypeScript, bundled on the fly and run by Node. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { buildSync } from 'esbuild';

export interface Script {
  /** Starts one process; its arguments are `process.argv.slice(2)`. */
  start(...args: string[]): RunningScript;
}

export interface RunningScript {
  readonly child: ChildProcess;
  /** The next line of its output. */
  line(): Promise<string>;
  /** Waits for its end; fails if it ends with a status. */
  done(): Promise<void>;
  /** Kills it with SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
}

/** `source` may import from `#src/…`. The bundle lies in `directory`, which the test removes. */
export function compileScript(directory: string, source: string): Script {
  const file = path.join(directory, `script-${fs.readdirSync(directory).length}.mjs`);
  buildSync({
    stdin: {
      contents: source.replaceAll('#src/', './src/'),
      resolveDir: process.cwd(),
      loader: 'ts',
    },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['koffi', 'zlib-sync'],
    outfile: file,
    banner: {
      js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);",
    },
  });
  return { start: (...args) => start(file, args) };
}

function start(file: string, args: readonly string[]): RunningScript {
  const child = spawn(process.execPath, [file, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let errors = '';
  child.stderr.on('data', (text) => {
    errors += text;
  });
  const exit = once(child, 'exit');
  return {
    child,
    async line() {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the process ended: ${errors}`);
      return value;
    },
    async done() {
      const [code] = await exit;
      if (code !== 0) throw new Error(`the process ended with ${code}: ${errors}`);
    },
    async kill() {
      child.kill('SIGKILL');
      await exit;
    },
  };
}
