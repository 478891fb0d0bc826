// Bundles one file for each process entry, with shared chunks, into dist/.
// A bundle starts several times faster than a tree of modules, which every command pays for.
import { chmodSync, renameSync, rmSync } from 'node:fs';
import { build } from 'esbuild';
import manifest from './package.json' with { type: 'json' };

// Takes the place of the old bundle when it is whole: who runs the command meanwhile has one or the other.
const fresh = 'dist.new';
rmSync(fresh, { recursive: true, force: true });
await build({
  entryPoints: {
    tsbuild: 'src/cli/main.ts',
    index: 'src/index.ts',
    executor: 'src/executor/main.ts',
    worker: 'src/worker.ts',
  },
  outdir: fresh,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // Beside the entries, so that a module finds them from wherever it was put.
  chunkNames: '[name]-[hash]',
  external: ['koffi', 'zlib-sync'],
  define: { TSBUILD_VERSION: JSON.stringify(manifest.version) },
  // CommonJS packages inside an ES module bundle still ask for require().
  banner: {
    js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);",
  },
  legalComments: 'none',
  minifySyntax: true,
  logLevel: 'warning',
});
chmodSync(`${fresh}/tsbuild.js`, 0o755);
rmSync('dist', { recursive: true, force: true });
renameSync(fresh, 'dist');
