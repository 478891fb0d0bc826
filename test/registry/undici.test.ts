import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { tempDirectory } from '../helpers/temp-directory.ts';

/** The built-in modules that a process has loaded after a file of ours. */
async function builtins(source: string): Promise<string[]> {
  const outfile = join(tempDirectory(), 'bundle.cjs');
  await build({
    stdin: { contents: source, resolveDir: import.meta.dirname },
    ...{ bundle: true, platform: 'node', format: 'cjs', outfile },
  });
  const print = 'console.log(JSON.stringify(process.moduleLoadList))';
  return JSON.parse(
    execFileSync(process.execPath, ['-e', `require(${JSON.stringify(outfile)});${print}`], {
      encoding: 'utf8',
    }),
  );
}

const OWN_UNDICI = 'NativeModule internal/deps/undici/undici';

test('undici is loaded without the copy of it that is in Node, which the whole package brings along', async () => {
  expect(await builtins("import '../../src/registry/undici.ts';")).not.toContain(OWN_UNDICI);
  expect(await builtins("import 'undici';")).toContain(OWN_UNDICI);
});
