/**
 * Loads a bundle together with the code that V8 made of it in an earlier run. It is kept in the store, which nobody else can
 * write to. Whatever fails here, the bundle is compiled anew.
 */
import { hash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createRequire, wrap } from 'node:module';
import { dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { defaultHome } from '../default-home.ts';
import { lazily } from '../host/lazily.ts';
import { STORE_VERSION } from '../store/version.ts';

/** Bytes before the code in its file, as many as V8 aligns it to. */
const HEADER = 8;
interface Header {
  /** In how many runs the file had a part. */
  readonly runs: number;
  /** All functions of the process that were compiled when the code was kept. */
  readonly bytes: number;
}
/** Bytes on the disk: of less, a build may need all, and it can do without code that was kept. */
const SPARE = 64 * 1024 * 1024;
/** Less is not worth a new file. */
const MORE = 1.02;
/** What shares little with the other commands; their code is one file. */
const ALONE = ['copy', 'load', 'pull', 'push', 'run', 'save'];
/** Milliseconds after which V8 may have dropped what was compiled at the start of a run. */
const LONG = 1000;
/** A bundle beside its caller's: much code, which many runs do not need. */
const APART = './undici.cjs';

/** What the bundle exports. It is all ASCII, as are those beside it (esbuild.config.js). */
export function requireKept(bundle: string): unknown {
  // So it takes a third less time to read.
  const source = readFileSync(bundle, 'latin1');
  const file = keptFile(bundle);
  const kept = file && readIfThere(file);
  const script = new Script(wrap(source), {
    filename: bundle,
    ...(kept ? { cachedData: kept.subarray(HEADER) } : {}),
  });
  const before = kept && !script.cachedDataRejected ? decode(kept) : undefined;
  // At the end, when the functions that this run needed are compiled, too.
  if (file !== undefined) process.once('exit', () => settle(file, script, before));
  const module = { exports: {} };
  const directory = dirname(bundle);
  script.runInThisContext()(module.exports, requireFrom(bundle), module, bundle, directory);
  return module.exports;
}

/** As `require` of the bundle. */
function requireFrom(bundle: string): (id: string) => unknown {
  const load = createRequire(bundle);
  const apart = lazily(() => requireKept(join(dirname(bundle), APART)));
  return (id) => (id === APART ? apart() : load(id));
}

/**
 * Named by everything that the code depends on, and by the command. `undefined` where there is no store of ours to keep
 * it in.
 */
function keptFile(bundle: string): string | undefined {
  try {
    const { size, mtimeMs } = statSync(bundle);
    const identity = [
      process.version,
      process.arch,
      process.execArgv.join(' '),
      ALONE.find((command) => command === process.argv[2]),
      bundle,
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

/**
 * What a run compiled is kept together with what it was given, so that the code grows by what builds need that are not like
 * the first. To ask V8 how much that is takes as long as a fiftieth of a build, and to make the file a tenth: that is done by
 * the second, the fourth, the eighth run, and so on, and only the first is there to make one in any case.
 */
function settle(file: string, script: Script, before: Header | undefined): void {
  const { user, system } = process.cpuUsage();
  if (before !== undefined && user + system > LONG * 1000) return;
  const runs = (before?.runs ?? 0) + 1;
  const isPowerOfTwo = (runs & (runs - 1)) === 0;
  try {
    const bytes = before !== undefined && !isPowerOfTwo ? before.bytes : bytecodeSize();
    if (before === undefined || bytes > before.bytes * MORE) keep(file, script, { runs, bytes });
    else count(file, { runs, bytes: before.bytes });
  } catch {
    // The next run compiles again.
  }
}

/** Asked once for all bundles, at the end: it takes milliseconds. */
const bytecodeSize = lazily((): number => {
  const { getHeapCodeStatistics } = createRequire(import.meta.url)('node:v8');
  return getHeapCodeStatistics().bytecode_and_metadata_size;
});

function keep(file: string, script: Script, header: Header): void {
  const directory = join(file, '..');
  const temporary = `${file}.${process.pid}`;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize < SPARE) return;
  writeFileSync(temporary, Buffer.concat([encode(header), script.createCachedData()]), {
    mode: 0o600,
  });
  renameSync(temporary, file);
}

/** In place: at its start, it hits no code even if another run has replaced the file. */
function count(file: string, header: Header): void {
  const fd = openSync(file, 'r+');
  writeSync(fd, encode(header), 0, HEADER, 0);
  closeSync(fd);
}

function encode({ runs, bytes }: Header): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(runs);
  header.writeUInt32LE(bytes, 4);
  return header;
}

function decode(header: Buffer): Header {
  return { runs: header.readUInt32LE(), bytes: header.readUInt32LE(4) };
}
