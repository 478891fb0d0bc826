import { expect, test } from 'vitest';
import { openEnvironment } from '../src/environment.ts';
import { tempDirectory } from './helpers/temp-directory.ts';

test('parts are closed that were being opened when it ended', async () => {
  const environment = openEnvironment({ home: tempDirectory() }, () => {});
  const opening = environment.workers();
  await environment[Symbol.asyncDispose]();
  const workers = await opening;
  await expect(workers.run('context.hash', [])).rejects.toMatchObject({ code: 'ABORTED' });
});
