import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cli, createCli } from '../helpers/cli.ts';

let cli: Cli;
beforeAll(async () => {
  cli = createCli();
  await cli.base();
});
afterAll(() => cli[Symbol.asyncDispose]());

test('prune frees what is not used, and the next build works', async () => {
  const context = cli.context({
    Dockerfile: 'FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=8\n',
  });
  await cli.ok(['build', context]);
  expect(await cli.ok(['system', 'df'])).toMatch(/^TYPE +COUNT +SIZE +RECLAIMABLE\n/);
  expect(await cli.ok(['prune', '--all', '--force'])).toMatch(/^Reclaimed [\d.]+ MB/m);
  expect(await cli.ok(['images'])).toContain('busybox');
  await cli.ok(['build', context]);
});
