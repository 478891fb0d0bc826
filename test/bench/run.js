/** `npm run bench`: bundles the program, which is TypeScript like the rest, and starts it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));
const directory = mkdtempSync(join(root, 'node_modules', '.tsbuild-bench-'));
try {
  const outfile = join(directory, 'main.mjs');
  await build({
    entryPoints: [join(root, 'test', 'bench', 'main.ts')],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    logLevel: 'warning',
  });
  const { main } = await import(pathToFileURL(outfile).href);
  process.exitCode = await main(process.argv.slice(2), process.env, root);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
