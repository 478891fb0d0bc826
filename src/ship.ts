/** Between the store and registries: carries out `pull` and `push` of index.ts, and brings base images for builds. */
import { type Environment, openEnvironment } from './environment.ts';
import { type EventSink, monotonicNow, type StepInfo } from './events.ts';
import { findStored } from './image/find.ts';
import { findImage, type Image } from './image/image.ts';
import { type LayerFormat, layerFormat } from './image/layer-form.ts';
import { type PulledImage, pullImage } from './image/pull.ts';
import { pushImage } from './image/push.ts';
import { selectManifest } from './image/select.ts';
import type { Descriptor } from './oci/descriptor.ts';
import { hostPlatform, type Platform, parsePlatform } from './oci/platform.ts';
import {
  familiarReference,
  formatReference,
  parseReference,
  type Reference,
} from './oci/reference.ts';
import type { OperationContext } from './operation.ts';
import type { PullOptions, PullResult, PushOptions, PushResult } from './options.ts';
import type { RegistryClient } from './registry/client.ts';
import { openRegistry } from './registry-settings.ts';
import { asStep } from './step-events.ts';
import type { Store } from './store/store.ts';

export async function performPull(
  options: PullOptions,
  operation: OperationContext,
): Promise<PullResult> {
  const platform =
    options.platform === undefined ? hostPlatform() : parsePlatform(options.platform);
  await using environment = openEnvironment(options, operation.emit);
  const { emit, signal } = operation;
  const started = monotonicNow();
  const pulled = await pullAsStep(environment, {
    reference: options.reference,
    platform,
    emit,
    signal,
  });
  const { name, descriptor, imageID, changed } = pulled;
  emit({
    type: 'result',
    digest: descriptor.digest,
    names: [name],
    seconds: (monotonicNow() - started) / 1000,
  });
  return { name, digest: descriptor.digest, imageId: imageID, changed };
}

export interface PullRequest {
  readonly reference: string;
  readonly platform: Platform;
  readonly emit: EventSink;
  readonly signal: AbortSignal;
}

/** Pulls an image and opens it. */
export async function pullReference(
  environment: Environment,
  request: PullRequest,
): Promise<Image> {
  const { name } = await pullAsStep(environment, request);
  return findImage(environment.store, name, request.platform);
}

async function pullAsStep(environment: Environment, request: PullRequest): Promise<PulledImage> {
  const { platform, emit, signal } = request;
  const reference = parseReference(request.reference);
  const source = (await environment.registry()).source(reference);
  const { store, workers } = environment;
  return asStep(transferStep('pull', reference), emit, (step) =>
    pullImage({ store, workers, source, reference, platform, step, emit, signal }),
  );
}

export async function performPush(
  options: PushOptions,
  operation: OperationContext,
): Promise<PushResult> {
  await using environment = openEnvironment(options, operation.emit);
  const started = monotonicNow();
  const { emit, signal } = operation;
  const { store } = environment;
  const name = options.source ?? options.reference;
  const stored = findStored(store, name).descriptor;
  const descriptor =
    options.platform === undefined
      ? stored
      : selectManifest(store, stored, parsePlatform(options.platform), name);
  const result = await pushReference(environment, {
    reference: options.reference,
    descriptor,
    emit,
    signal,
    ...layerFormat(options),
  });
  emit({
    type: 'result',
    digest: result.digest,
    names: [result.name],
    seconds: (monotonicNow() - started) / 1000,
  });
  return result;
}

export interface PushRequest extends LayerFormat {
  /** Where the image is, if not in the environment's store. */
  readonly store?: Store;
  readonly reference: string;
  /** The manifest or index to send. */
  readonly descriptor: Descriptor;
  readonly emit: EventSink;
  readonly signal: AbortSignal;
  /** Without the tag of the reference. */
  readonly byDigest?: boolean;
  /** The registry may speak plain http, or have any certificate. */
  readonly insecure?: boolean;
}

export async function pushReference(
  environment: Environment,
  request: PushRequest,
): Promise<PushResult> {
  const { reference: text, byDigest, insecure, ...rest } = request;
  const { tag, ...untagged } = parseReference(text);
  const reference = byDigest || tag === undefined ? untagged : { ...untagged, tag };
  if (insecure) {
    const warn = (message: string) => rest.emit({ type: 'warning', message });
    await using client = await openRegistry(environment.env, warn, [reference.registry]);
    return await pushTo(environment, client, reference, rest);
  }
  return pushTo(environment, await environment.registry(), reference, rest);
}

async function pushTo(
  environment: Environment,
  client: RegistryClient,
  reference: Reference,
  request: Omit<PushRequest, 'reference'>,
): Promise<PushResult> {
  const target = client.repository(reference);
  const workers = await environment.workers();
  const { store = environment.store } = request;
  const name = formatReference(reference);
  return asStep(transferStep('push', reference), request.emit, async (step) => {
    const pushing = { ...request, store, target, reference, workers, step };
    const { descriptor } = await pushImage(pushing);
    const { digest } = descriptor;
    // Not the store's digest where layers were compressed on the way.
    const text = `pushed ${name}${reference.digest ? '' : `@${digest}`}\n`;
    request.emit({ type: 'step.log', step, stream: 'stdout', text });
    return { name, digest, descriptor };
  });
}

function transferStep(kind: 'pull' | 'push', reference: Reference): StepInfo {
  return {
    id: `${kind} ${formatReference(reference)}`,
    kind,
    name: `${kind} ${familiarReference(reference)}`,
  };
}
