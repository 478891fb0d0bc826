import { describe, expect, it } from 'vitest';
import type { RunOp } from '../../src/graph/step.ts';
import type { StepContext } from '../../src/scheduler/handler.ts';
import { type MountEnvironment, prepareMounts } from '../../src/scheduler/mounts.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

/** Prepares a step with one secret. */
async function withSecret<T>(
  secret: string,
  use: (redact: (lines: readonly string[]) => readonly string[]) => T,
): Promise<T> {
  const mount = { type: 'secret', id: 's', required: false, mode: 0o400, uid: 0, gid: 0 };
  const op = { mounts: [mount], env: [], workdir: '/' };
  const context = { step: { op }, inputs: [], signal: new AbortController().signal };
  const environment = { cacheMounts: tempDirectory(), secret: async () => Buffer.from(secret) };
  await using prepared = await prepareMounts(
    context as unknown as StepContext<RunOp>,
    environment as unknown as MountEnvironment,
  );
  return use(prepared.redact);
}

describe('a secret in the lines that an error shows', () => {
  it.each([
    ['of one line', 'pw\n', ['the pw is pw'], ['the *** is ***']],
    [
      'of several lines',
      '-----BEGIN KEY-----\nMIIEpAIB\n  AAKCAQEA\n-----END KEY-----\n',
      ['-----BEGIN KEY-----', '> MIIEpAIB', '  AAKCAQEA'],
      ['***', '> ***', '  ***'],
    ],
    [
      'of several lines, short ones among them',
      '{\n"key": "x1"\n}\n',
      ['{ "key": "x1" }'],
      ['{ *** }'],
    ],
    ['that is empty', '\n', ['nothing'], ['nothing']],
  ])('is not shown: one %s', async (_what, secret, lines, shown) => {
    expect(await withSecret(secret, (redact) => redact(lines))).toEqual(shown);
  });
});
