// Bundles into dist/. Each process entry is one CommonJS file in which every module is evaluated when it is first needed:
// measured for a build in which nothing changed, node's loader of ES modules takes twice as long for the same code.
// The API is ES modules, in chunks, so that a caller loads what it uses.
import { chmodSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';
import manifest from './package.json' with { type: 'json' };

// Takes the place of the old bundle when it is whole: who runs the command meanwhile has one or the other.
const fresh = 'dist.new';
rmSync(fresh, { recursive: true, force: true });

const common = {
  outdir: fresh,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  external: ['koffi', 'zlib-sync'],
  define: { TSBUILD_VERSION: JSON.stringify(manifest.version) },
  legalComments: 'none',
  minifySyntax: true,
  logLevel: 'warning',
  metafile: true,
};

const commonJS = {
  ...common,
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  define: {
    ...common.define,
    'import.meta.url': '__moduleUrl',
    'import.meta.dirname': '__dirname',
  },
  banner: { js: "const __moduleUrl=require('node:url').pathToFileURL(__filename).href;" },
};

// Larger than what needs them, and rarely needed: yargs by completion, fast-glob for a hint, dockerfile-ast for errors,
// tar-stream for archives of images.
const APART = ['yargs', 'fast-glob', 'dockerfile-ast', 'tar-stream'];
// So is undici, of which we have a part, for registries.
const UNDICI = { undici: 'src/cli/undici.ts' };
const apart = {
  name: 'apart',
  setup({ onResolve }) {
    onResolve({ filter: new RegExp(`^(${APART.join('|')})$`) }, ({ path }) => ({
      path: `./${path}.cjs`,
      external: true,
    }));
    onResolve({ filter: /^\.\/undici\.ts$/ }, () => ({ path: './undici.cjs', external: true }));
  },
};

// An ES module turned into CommonJS: what imports its default export takes all of a CommonJS module for that.
const asDefault = 'if (module.exports.default) module.exports = module.exports.default;';

const SELDOM = [
  'child_process',
  'net',
  'stream/promises',
  'timers/promises',
  'tls',
  'worker_threads',
  'zlib',
];
/** Loaded by kept-code.ts. */
const KEPT = ['main', 'undici'];

const BUILTIN = `const __builtins = {}, __seldom = ${JSON.stringify(SELDOM)};
const __builtin = (id) => (__builtins[id] ??= __seldom.includes(id.slice(5))
  ? new Proxy({}, { get: (_, name) => (name === "default" ? require(id) : require(id)[name]) })
  : Object.create(require(id), { default: { value: require(id) } }));`;

const results = await Promise.all([
  build({
    ...commonJS,
    entryPoints: {
      tsbuild: 'src/cli/start.ts',
      main: 'src/cli/main.ts',
      executor: 'src/executor/main.ts',
      worker: 'src/worker.ts',
    },
    plugins: [apart],
  }),
  build({ ...commonJS, entryPoints: APART, footer: { js: asDefault } }),
  build({ ...commonJS, entryPoints: UNDICI }),
  build({
    ...common,
    format: 'esm',
    entryPoints: { index: 'src/index.ts' },
    splitting: true,
    // Beside the entries, so that a module finds them from wherever it was put.
    chunkNames: '[name]-[hash]',
    // CommonJS packages inside an ES module bundle still ask for require().
    banner: {
      js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);",
    },
  }),
]);
for (const name of ['main', 'executor', 'worker']) takeBuiltinsLightly(`${fresh}/${name}.cjs`);
for (const name of KEPT) asASCII(`${fresh}/${name}.cjs`);
chmodSync(`${fresh}/tsbuild.cjs`, 0o755);
writeFileSync(`${fresh}/THIRD-PARTY-LICENSES.txt`, licenses(results));
rmSync('dist', { recursive: true, force: true });
renameSync(fresh, 'dist');

/**
 * Two savings at the start of a process. esbuild copies all properties
 * of a built-in module for each file that takes its default export: here one object serves all. And of what many builds need
 * nothing, the module is loaded by the first look at it.
 */
function takeBuiltinsLightly(file) {
  const text = readFileSync(file, 'utf8')
    .replace(/__toESM\(require\("(node:[a-z_/]+)"\), 1\)/g, '__builtin("$1")')
    .replace(
      new RegExp(`= require\\("node:(${SELDOM.join('|')})"\\)`, 'g'),
      '= __builtin("node:$1")',
    );
  writeFileSync(file, `${BUILTIN}\n${text}`);
}

/** kept-code.ts reads these as bytes. What esbuild leaves of other characters is in comments and regular expressions. */
function asASCII(file) {
  const text = readFileSync(file, 'utf8').replace(
    /[^\0-\x7f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  writeFileSync(file, text);
}

/** The licences of what is inside the bundles, which ask to come along with it. */
function licenses(results) {
  const files = results.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const packages = new Set(
    files.flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []),
  );
  return [...packages].sort().map(license).join('\n');
}

function license(name) {
  const directory = `node_modules/${name}`;
  const { version, license } = JSON.parse(readFileSync(`${directory}/package.json`, 'utf8'));
  const file = readdirSync(directory).find((each) => /^licen[cs]e/i.test(each));
  if (file === undefined) throw new Error(`${name} comes without the text of its licence`);
  const text = readFileSync(`${directory}/${file}`, 'utf8').trim();
  return `${name} ${version} (${license})\n\n${text}\n`;
}
