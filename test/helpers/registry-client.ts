import { onTestFinished } from 'vitest';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { OCI_LAYER_GZIP } from '../../src/oci/media-types.ts';
import {
  createRegistryClient,
  type RegistryClient,
  type RegistryClientOptions,
} from '../../src/registry/client.ts';
import type { Credentials } from '../../src/registry/credentials.ts';
import type { Repository } from '../../src/registry/repository.ts';
import type { Clock } from '../../src/registry/retry.ts';
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from './registry.ts';

/** A clock in which waiting takes no time; it keeps what was waited for. */
export interface FakeClock extends Clock {
  readonly waits: number[];
}

export function fakeClock(): FakeClock {
  let passed = 0;
  const waits: number[] = [];
  return {
    waits,
    now: () => 1_700_000_000_000 + passed,
    random: () => 0.5,
    sleep: async (milliseconds, signal) => {
      signal?.throwIfAborted();
      waits.push(milliseconds);
      passed += milliseconds;
    },
  };
}

export interface TestClientOptions extends Partial<RegistryClientOptions> {
  readonly credentials?: Credentials;
}

/** A client that is closed when the running test is over, and does not wait between attempts. */
export function testClient({ credentials, ...options }: TestClientOptions = {}): RegistryClient {
  const client = createRegistryClient({
    userAgent: 'tsbuild-test',
    clock: fakeClock(),
    ...(credentials ? { keychain: { credentials: async () => credentials } } : {}),
    ...options,
  });
  onTestFinished(() => client[Symbol.asyncDispose]());
  return client;
}

/** A fake registry that is stopped when the running test is over. */
export async function testRegistry(options?: FakeRegistryOptions): Promise<FakeRegistry> {
  const registry = await startFakeRegistry(options);
  onTestFinished(() => registry[Symbol.asyncDispose]());
  return registry;
}

export function repositoryAt(
  registry: FakeRegistry,
  options?: TestClientOptions,
  name = 'team/app',
): Repository {
  return testClient(options).repository({ registry: registry.host, repository: name });
}

export function blob(
  bytes: Buffer,
  mediaType = OCI_LAYER_GZIP,
): Descriptor & { readonly bytes: Buffer } {
  return { mediaType, digest: digestOf(bytes), size: bytes.length, bytes };
}

/** Bytes without a period that a shifted read could hide in. */
export function noise(size: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(size);
  let state = seed;
  for (let at = 0; at < size; at += 1) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    bytes[at] = state >>> 16;
  }
  return bytes;
}

export async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
