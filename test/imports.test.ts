/**
 * The architecture, held: a folder imports only from tiers below its own, and within its tier only itself. See
 * src/README.md for what the tiers are.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

const source = join(import.meta.dirname, '..', 'src');

/** Lowest first. A name is a folder of src/, or a file directly in it. */
const TIERS = [
  ['errors.ts', 'events.ts'],
  ['oci', 'dockerfile'],
  ['host'],
  ['tree'],
  ['tar'],
  ['store', 'snapshot', 'runtime', 'registry', 'context', 'graph'],
  ['layer'],
  ['image', 'cache'],
  ['scheduler', 'export', 'executor', 'container'],
  ['progress'],
];

/** What two parts of one tier say to each other is data, and stands below both. */
const CONTRACTS: Readonly<Record<string, number>> = {
  'executor/protocol.ts': TIERS.findIndex((names) => names.includes('image')),
};

/** Above the tiers: the API, which may use everything but its own callers. */
const CALLERS = ['cli', 'action'];

interface Import {
  readonly from: string;
  readonly to: string;
  readonly line: string;
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
  .sort();

/** Types are no use of an implementation, but a use all the same: they count. */
const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(source, file), 'utf8');
  const found = text.matchAll(
    /^\s*(?:import|export)\b[^'"]*?from\s*['"](\.[^'"]+)['"]|import\(\s*['"](\.[^'"]+)['"]\s*\)|^import\s+['"](\.[^'"]+)['"]/gm,
  );
  return [...found].map((match) => {
    const target = normalize(join(dirname(file), (match[1] ?? match[2] ?? match[3])!));
    return { from: file, to: target, line: `${file} imports ${target}` };
  });
});

function part(file: string): string {
  return file.split('/', 1)[0]!;
}

function tierOf(file: string): number {
  const name = part(file);
  if (CONTRACTS[file] !== undefined) return CONTRACTS[file];
  if (CALLERS.includes(name)) return TIERS.length + 1;
  const tier = TIERS.findIndex((names) => names.includes(name));
  return tier < 0 ? TIERS.length : tier;
}

describe('the tiers', () => {
  test('have a place for every folder', () => {
    const folders = new Set(files.filter((file) => file.includes('/')).map(part));
    const placed = [...TIERS.flat(), ...CALLERS];
    expect([...folders].filter((folder) => !placed.includes(folder))).toEqual([]);
  });

  test('are imported only from above', () => {
    const wrong = imports.filter(({ from, to }) => {
      if (part(from) === part(to)) return false;
      const [low, high] = [tierOf(to), tierOf(from)];
      // Files directly in src/ are one tier together, and so may import each other.
      if (low === high) return !(high === TIERS.length || high === 0);
      return low > high;
    });
    expect(wrong.map(({ line }) => line)).toEqual([]);
  });

  test('have displays that see nothing but events', () => {
    const seen = imports.filter(({ from }) => part(from) === 'progress').map(({ to }) => to);
    expect(seen.filter((to) => !to.startsWith('progress/') && tierOf(to) > 0)).toEqual([]);
  });
});

describe('source files', () => {
  test('below the callers touch no console, environment or working directory', () => {
    // The API's own files, directly in src/, take the process's environment for a default; entries of processes are
    // callers too; overlay.ts lives in the executor's, whose directory it may change.
    const allowed = new Set(['executor/main.ts', 'snapshot/overlay.ts']);
    const low = files.filter(
      (file) => file.includes('/') && !CALLERS.includes(part(file)) && !allowed.has(file),
    );
    const wrong = low.flatMap((file) => {
      const code = withoutComments(readFileSync(join(source, file), 'utf8'));
      const found = /\bconsole\.|\bprocess\.(?:env|cwd)\b/.exec(code);
      return found === null ? [] : [`${file}: ${found[0]}`];
    });
    expect(wrong).toEqual([]);
  });

  test('are at most 400 lines', () => {
    const long = files.filter((file) => {
      return readFileSync(join(source, file), 'utf8').split('\n').length > 401;
    });
    expect(long).toEqual([]);
  });

  test('have names that say what is in them', () => {
    const vague = /(^|[/-])(utils?|common|helpers?|manager|misc|shared)\b/;
    expect(files.filter((file) => vague.test(file) && !isSpecWord(file))).toEqual([]);
  });
});

/** Docker calls the programs that keep credentials "credential helpers". */
function isSpecWord(file: string): boolean {
  return file.includes('credential-helper');
}

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
}
