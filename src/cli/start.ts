#!/usr/bin/env node
/**
 * The first file of the command. It loads main.cjs together with the code that V8 made of it in an earlier run: compiling
 * the bundle anew costs as much as a build in which nothing changed. Node has this built in from 22.1 on; for the older
 * ones the code is kept in the store, which nobody else can write to. Whatever fails here, the command runs without.
 */
import { hash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { defaultHome } from '../default-home.ts';
import { STORE_VERSION } from '../store/version.ts';

const { enableCompileCache } = nodeModule as {
  enableCompileCache?: (directory?: string) => unknown;
};
const main = join(import.meta.dirname, 'main.cjs');
const load = nodeModule.createRequire(import.meta.url);

/** Bytes after the code in its file: the milliseconds of CPU of the run that it was kept by. */
const TRAILER = 4;
/** A run that worked this much more than that one has compiled more, and its code is kept instead. */
const MORE = 1.5;
/** Milliseconds after which V8 may have dropped what was compiled at the start of a run. */
const LONG = 1000;

if (enableCompileCache === undefined) runWithKeptCode();
else {
  enableCompileCache();
  load(main);
}

function runWithKeptCode(): void {
  // It is all ASCII (esbuild.config.js), which takes a third less time to read in this way.
  const source = readFileSync(main, 'latin1');
  const file = keptFile();
  const kept = file && readIfThere(file);
  const script = new Script(nodeModule.wrap(source), {
    filename: main,
    ...(kept ? { cachedData: kept.subarray(0, -TRAILER) } : {}),
  });
  if (file !== undefined) {
    const before =
      kept && !script.cachedDataRejected ? kept.readUInt32LE(kept.length - TRAILER) : 0;
    // At the end, when the functions that this run needed are compiled, too.
    process.once('exit', () => {
      const { user, system } = process.cpuUsage();
      const now = Math.ceil((user + system) / 1000);
      if (before === 0 || (now > before * MORE && now < LONG)) keep(file, now, script);
    });
  }
  const module = { exports: {} };
  script.runInThisContext()(module.exports, load, module, main, import.meta.dirname);
}

/**
 * Named by everything that the code depends on, and by the command: `run` needs little of what `build` does. The others
 * share much with that. `undefined` where there is no store of ours to keep it in.
 */
function keptFile(): string | undefined {
  try {
    const { size, mtimeMs } = statSync(main);
    const identity = [
      process.version,
      process.arch,
      process.execArgv.join(' '),
      process.argv[2] === 'run' ? 'run' : 'build',
      main,
      size,
      mtimeMs,
    ].join('\n');
    const name = hash('sha256', identity, 'hex').slice(0, 32);
    const home = defaultHome(process.env);
    const isOurs = statSync(home).uid === process.getuid?.();
    const version = readFileSync(join(home, 'version'), 'utf8').trim();
    return isOurs && version === STORE_VERSION ? join(home, 'compiled', name) : undefined;
  } catch {
    return undefined;
  }
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

function keep(file: string, milliseconds: number, script: Script): void {
  try {
    const temporary = `${file}.${process.pid}`;
    const trailer = Buffer.alloc(TRAILER);
    trailer.writeUInt32LE(milliseconds);
    mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 });
    writeFileSync(temporary, Buffer.concat([script.createCachedData(), trailer]), { mode: 0o600 });
    renameSync(temporary, file);
  } catch {
    // The next run compiles again.
  }
}
