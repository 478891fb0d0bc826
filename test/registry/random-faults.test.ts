/**
 * Pushes and pulls through faults drawn at random (from a seed, so that a failure can be repeated): either the image
 * arrives and is right, or there is an error that names the host; never a wrong image, a name for half of one, or a hang.
 */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isTsbuildError } from '../../src/errors.ts';
import { inlineWorkers } from '../../src/host/workers.ts';
import { findImage } from '../../src/image/image.ts';
import { pullImage } from '../../src/image/pull.ts';
import { pushImage } from '../../src/image/push.ts';
import { layerTasks } from '../../src/layer/tasks.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { newStore, sampleImage } from '../helpers/images.ts';
import { noise, testClient, testRegistry } from '../helpers/registry-client.ts';
import {
  alterBody,
  breakBody,
  type Fault,
  loseAnswer,
  reset,
  stall,
  status,
} from '../helpers/registry-faults.ts';

/** More of them, and others, by hand: TSBUILD_TEST_ROUNDS=300 TSBUILD_TEST_SEED=1000. */
const ROUNDS = Number(process.env.TSBUILD_TEST_ROUNDS ?? 40);
const SEED = Number(process.env.TSBUILD_TEST_SEED ?? 0);
const joe = { username: 'joe', password: 'hunter22' };
const AUTHS = [undefined, { kind: 'basic' }, { kind: 'token' }] as const;
const ELSEWHERE = '127.0.0.1:1';
/** One that is sent while it is compressed, in every so many rounds. */
const LARGE_EVERY = 8;
const platform = parsePlatform('linux/amd64');
const workers = inlineWorkers(layerTasks);

/** Numbers below `limit`, the same for the same seed. */
function numbers(seed: number): (limit: number) => number {
  let state = seed + 1;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

function randomFault(pick: (limit: number) => number): Fault {
  const where = [
    {},
    { path: '/blobs/' },
    { path: '/manifests/' },
    { path: '/uploads/' },
    { method: 'PUT' },
    { method: 'GET' },
  ][pick(6)]!;
  const bytes = pick(60_000);
  const kinds: (() => Fault)[] = [
    () => reset(where, bytes),
    () => reset(where),
    () => loseAnswer(where),
    () => breakBody(bytes, 'reset', where),
    () => breakBody(bytes, 'stall', where),
    () => stall(where),
    () => status([500, 502, 503, 504, 408][pick(5)]!, where),
    () => status(429, where, { 'retry-after': String(pick(3)) }),
    () => status([400, 403, 404, 418][pick(4)]!, where),
    () => status(307, where, { location: `http://${ELSEWHERE}/elsewhere` }),
    () => alterBody((body) => body.subarray(0, pick(body.length + 1)), where),
    () => alterBody((body) => Buffer.concat([body, Buffer.from('more')]), where),
    () =>
      alterBody(
        (body) => Buffer.from(body.map((byte, at) => (at === body.length >> 1 ? byte ^ 1 : byte))),
        where,
      ),
  ];
  return kinds[pick(kinds.length)]!();
}

test(`${ROUNDS} rounds of a push and a pull with random faults`, {
  timeout: 6000 * ROUNDS,
}, async () => {
  const outcomes = { whole: 0, failed: 0 };
  for (let round = SEED; round < SEED + ROUNDS; round += 1) {
    const pick = numbers(round);
    const auth = AUTHS[pick(AUTHS.length)];
    const registry = await testRegistry(
      auth ? { auth: { ...auth, users: { joe: joe.password } } } : {},
    );
    const reference = parseReference(`${registry.host}/team/app:1`);
    const client = testClient({
      credentials: joe,
      stallMilliseconds: 300,
      commitMilliseconds: 300,
      retry: { attempts: 3 },
    });
    const repository = client.repository(reference);
    const store = newStore();
    const bytes = round % LARGE_EVERY === 0 ? 2_500_000 : 100_000;
    const text = noise(bytes, round).toString('latin1');
    const image = await sampleImage(store, { layers: [{ text }, { other: text.slice(50_000) }] });
    const faults = () =>
      registry.faults.splice(
        0,
        registry.faults.length,
        ...Array.from({ length: 1 + pick(4) }, () => randomFault(pick)),
      );
    const hosts = new RegExp(`${registry.host}|${ELSEWHERE}`);
    const attempt = async (work: () => Promise<unknown>) => {
      try {
        await work();
        return true;
      } catch (error) {
        const described = `round ${round}: ${error instanceof Error ? error.stack : error}`;
        expect(isTsbuildError(error), described).toBe(true);
        expect((error as Error).message, described).toMatch(hosts);
        return false;
      }
    };
    const push = () =>
      pushImage({
        store,
        target: repository,
        reference,
        descriptor: image.descriptor,
        workers,
        step: 'push',
      });
    faults();
    const pushed = await attempt(push);
    registry.faults.splice(0);
    // Whatever a failed push left behind, the next one is not misled by it.
    if (!pushed) await push();
    for (const [digest, bytes] of registry.repositories.get('team/app')!.blobs)
      expect(digestOf(bytes)).toBe(digest);
    const other = newStore();
    faults();
    const pulled = await attempt(() =>
      pullImage({ store: other, source: repository, reference, platform, step: 'pull' }),
    );
    expect(readdirSync(other.path('tmp'))).toEqual([]);
    if (pulled) expect(findImage(other, `${registry.host}/team/app:1`).imageID).toBe(image.imageID);
    else expect(other.tags()).toEqual([]);
    outcomes[pushed && pulled ? 'whole' : 'failed'] += 1;
    await registry[Symbol.asyncDispose]();
  }
  // Faults that pass are survived; those that do not are errors: both must have been seen.
  expect(outcomes.whole).toBeGreaterThan(ROUNDS / 8);
  expect(outcomes.failed).toBeGreaterThan(0);
});
