#!/usr/bin/env node
/**
 * The first file of the command. It loads main.cjs together with the code that V8 made of it in an earlier run: compiling
 * the bundle anew costs as much as a build in which nothing changed. Node has this built in from 22.1 on; for the older
 * ones there is kept-code.ts.
 */
import * as nodeModule from 'node:module';
import { join } from 'node:path';
import { requireKept } from './kept-code.ts';

const { enableCompileCache } = nodeModule as {
  enableCompileCache?: (directory?: string) => unknown;
};
const main = join(import.meta.dirname, 'main.cjs');

if (enableCompileCache === undefined) requireKept(main);
else {
  enableCompileCache();
  nodeModule.createRequire(import.meta.url)(main);
}
