/** The process entries as they are shipped, bundled once for each run of a test file. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '../..');

export interface Entries extends AsyncDisposable {
  /** The file of `executor`, `worker`, … */
  file(name: string): string;
}

/** Bundles `names` (source files by entry name) into a directory in which `koffi` and the like are found. */
export async function bundleEntries(names: Readonly<Record<string, string>>): Promise<Entries> {
  // Inside the project, so that external packages are found; out of the way of git and of other test files.
  const outdir = mkdtempSync(join(root, 'node_modules/.tsbuild-test-'));
  chmodSync(outdir, 0o755);
  await build({
    entryPoints: Object.fromEntries(
      Object.entries(names).map(([name, file]) => [name, join(root, file)]),
    ),
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: ['koffi', 'zlib-sync'],
    define: { TSBUILD_VERSION: JSON.stringify('0.0.0-test') },
    banner: {
      js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);",
    },
    logLevel: 'warning',
  });
  return {
    file: (name) => join(outdir, `${name}.js`),
    [Symbol.asyncDispose]: async () => rmSync(outdir, { recursive: true, force: true }),
  };
}
