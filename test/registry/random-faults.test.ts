/**
 * Pushes and pulls through faults drawn at random (from a seed, so that a failure can be repeated): either the image
 * arrives and is right, or there is an error that names the host; never a wrong image, a name for half of one, or a hang.
 */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isTsbuildError } from '../../src/errors.ts';
import { inlineWorkers } from '../../src/host/workers.ts';
import { copyGraph } from '../../src/image/copy-graph.ts';
import { findImage } from '../../src/image/image.ts';
import { pullImage } from '../../src/image/pull.ts';
import { pushImage } from '../../src/image/push.ts';
import { layerTasks } from '../../src/layer/tasks.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { newStore, sampleImage } from '../helpers/images.ts';
import type { FakeRegistry } from '../helpers/registry.ts';
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
import { putIndex } from '../helpers/registry-images.ts';

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

function addFaults({ faults }: FakeRegistry, pick: (limit: number) => number): void {
  const drawn = Array.from({ length: 1 + pick(4) }, () => randomFault(pick));
  faults.splice(0, faults.length, ...drawn);
}

/** Whether the work succeeds. If not, its error has to say where. */
async function survives(
  work: () => Promise<unknown>,
  round: number,
  registries: readonly FakeRegistry[],
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    const described = `round ${round}: ${error instanceof Error ? error.stack : error}`;
    expect(isTsbuildError(error), described).toBe(true);
    const hosts = [...registries.map(({ host }) => host), ELSEWHERE];
    expect((error as Error).message, described).toMatch(new RegExp(hosts.join('|')));
    return false;
  }
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
    const faults = () => addFaults(registry, pick);
    const attempt = (work: () => Promise<unknown>) => survives(work, round, [registry]);
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

test(`${ROUNDS / 2} rounds of a copy from a mirror, a registry behind it, and to a third, all with random faults`, {
  timeout: 6000 * ROUNDS,
}, async () => {
  let whole = 0;
  for (let round = SEED; round < SEED + ROUNDS / 2; round += 1) {
    const pick = numbers(round);
    const [origin, mirror, target] = await Promise.all([1, 2, 3].map(() => testRegistry()));
    const registries = [origin!, mirror!, target!];
    const { index } = putIndex(origin!, '1', ['amd64', 'arm64']);
    putIndex(mirror!, '1', ['amd64', 'arm64'], 'cached/team/app');
    const client = testClient({
      stallMilliseconds: 300,
      commitMilliseconds: 300,
      retry: { attempts: 3 },
      mirrors: () => [{ registry: mirror!.host, prefix: 'cached/' }],
    });
    const source = () => client.source({ registry: origin!.host, repository: 'team/app' });
    const sink = client.repository({ registry: target!.host, repository: 'copied/app' });
    for (const registry of registries) addFaults(registry, pick);
    if (await survives(() => copyGraph(source(), sink, index), round, registries)) whole += 1;
    for (const { faults } of registries) faults.splice(0);
    await copyGraph(source(), sink, index);
    const { blobs, manifests } = target!.repositories.get('copied/app')!;
    expect(manifests.size).toBe(3);
    for (const [digest, bytes] of blobs) expect(digestOf(bytes)).toBe(digest);
    await Promise.all(registries.map((registry) => registry[Symbol.asyncDispose]()));
  }
  expect(whole).toBeGreaterThan(ROUNDS / 16);
  expect(whole).toBeLessThan(ROUNDS / 2);
});
