/** The part of `tsbuild run` below its command line: a container in the foreground, signals passed on. */
import { readFileSync } from 'node:fs';
import {
  type ContainerImage,
  type ContainerOptions,
  runContainer,
} from '../../src/container/run.ts';
import { createExecutor } from '../../src/executor/client.ts';
import { stackTree } from '../../src/layer/stack.ts';

const [file] = process.argv.slice(2);
const { home, entry, dedicated, layers, config, options } = JSON.parse(
  readFileSync(file!, 'utf8'),
) as {
  home: string;
  entry: string;
  dedicated: boolean;
  options: ContainerOptions;
} & Pick<ContainerImage, 'layers' | 'config'>;

const executor = createExecutor({ home, entry, dedicated });
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => executor.kill(options.id, signal));
}
try {
  const image = { layers, config, tree: stackTree(layers) };
  const { exitCode } = await runContainer(executor, image, options);
  process.exitCode = exitCode;
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 125;
} finally {
  await executor[Symbol.asyncDispose]();
}
