/** One request from its layers to its result, and beyond: mount, run, see what changed, answer, clear up. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type Span, type SpanName, startSpan } from '../events.ts';
import type { Layer } from '../layer/layer.ts';
import type { Cgroup } from '../runtime/cgroup.ts';
import { makeDevices, NO_DEVICES } from '../runtime/devices.ts';
import type { Abilities, ContainerExit, ContainerSpec, Runtime } from '../runtime/runtime.ts';
import { type RuntimeTraits, runtimeConfig } from '../runtime/spec.ts';
import type { Snapshot, Snapshotter } from '../snapshot/snapshotter.ts';
import { containerIO, type StandardStreams, terminalOf } from './container-io.ts';
import { type LayersView, type PreparedMount, prepareMounts } from './container-mounts.ts';
import { hostnameOf } from './etc-files.ts';
import { isInside, type MountPoint, placeDirectory, placeMountPoints } from './mount-points.ts';
import type { ExecRequest, ExecResult } from './protocol.ts';
import { openSshSockets } from './ssh-sockets.ts';

/** What a request is run with; workshop.ts puts it together. */
export interface Workshop {
  /** A tmpfs, for files that containers get. */
  readonly files: string;
  readonly abilities: Abilities;
  readonly snapshots: Snapshotter;
  readonly runtimeFor: (container: { readonly terminal: boolean }) => ContainerRuntime;
  /** Directories that overlay can use as lower ones, for layers, bottom first. */
  readonly lowersOf: (layers: readonly Layer[]) => Promise<readonly string[]>;
  /** What was changed in a snapshot over `parents`, as a layer in the store; `undefined` if nothing was. */
  readonly commit: (
    snapshot: Snapshot,
    parents: readonly Layer[],
    options: { readonly sourceDateEpoch?: number; readonly signal: AbortSignal },
  ) => Promise<Layer | undefined>;
  /** While a container writes to a snapshot that `commit` will be asked for; until it is disposed of. */
  readonly expectCommit: (snapshot: Snapshot, parents: readonly Layer[]) => Disposable;
  readonly streams: StandardStreams;
  readonly searchPath: string;
  /** The group that the request asks for. */
  readonly cgroupOf: (request: ExecRequest, key: string) => Cgroup | undefined;
}

export interface ContainerRuntime extends Runtime {
  readonly traits: RuntimeTraits;
}

export interface RunCall {
  /** Unique in this executor, and fit for a file name. */
  readonly key: string;
  readonly signal: AbortSignal;
  readonly onOutput: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => Promise<void>;
  /** Called once unless the request fails, while there is still something to be cleared up: nobody waits for that. */
  readonly onResult: (result: ExecResult) => Promise<void>;
}

export async function runRequest(
  workshop: Workshop,
  request: ExecRequest,
  call: RunCall,
): Promise<void> {
  const { snapshots } = workshop;
  const spans: Span[] = [];
  const measure = (name: SpanName) => startSpan((span) => spans.push(span), name);
  const endMount = measure('mount');
  const lowers = await workshop.lowersOf(request.layers);
  const views = await layersOfMounts(workshop, request);
  call.signal.throwIfAborted();
  const files = join(workshop.files, call.key);
  const used: Snapshot[] = [];
  const use = (snapshot: Snapshot): Snapshot => {
    used.push(snapshot);
    return snapshot;
  };
  const clearUp = (): void => {
    for (const snapshot of used) snapshots.remove(snapshot);
    rmSync(files, { recursive: true, force: true });
  };
  try {
    mkdirSync(files, { mode: 0o700 });
    const devices = request.security === 'insecure';
    const snapshot = use(snapshots.prepare(call.key, lowers, { devices }));
    const mountLayers = (view: LayersView): string => {
      const key = `${call.key}-${used.length}`;
      const stack = views.get(view.layers)!;
      return use(view.readonly ? snapshots.view(key, stack) : snapshots.prepare(key, stack)).root;
    };
    await using ssh = await openSshSockets(request, files);
    const mounts = prepareMounts(request, {
      ...{ files, mountLayers, searchPath: workshop.searchPath },
      sshSockets: ssh.paths,
    });
    endMount();
    const endRun = measure('run');
    const container = { request, call, files, root: snapshot.root, mounts };
    const help = request.commit && workshop.expectCommit(snapshot, request.layers);
    const exit = await runContainer(workshop, container).finally(() => help?.[Symbol.dispose]());
    endRun();
    let layer: Layer | undefined;
    if (request.commit !== undefined && exit.exitCode === 0) {
      const endDiff = measure('diff');
      const options = { ...request.commit, signal: call.signal };
      layer = await workshop.commit(snapshot, request.layers, options);
      call.signal.throwIfAborted();
      endDiff();
    }
    await call.onResult({ ...exit, spans, ...(layer === undefined ? {} : { layer }) });
  } catch (error) {
    clearUp();
    throw error;
  }
  // Whoever asked may have something else for us to begin with, by now.
  await setImmediate();
  clearUp();
}

/** Mountable forms of the layers that mounts look at, by the list that names them. */
async function layersOfMounts(
  workshop: Workshop,
  request: ExecRequest,
): Promise<Map<readonly Layer[], readonly string[]>> {
  const lowers = new Map<readonly Layer[], readonly string[]>();
  for (const mount of request.mounts) {
    const layers =
      mount.type === 'layers'
        ? mount.layers
        : mount.type === 'cache'
          ? mount.seed?.layers
          : undefined;
    if (layers !== undefined) lowers.set(layers, await workshop.lowersOf(layers));
  }
  return lowers;
}

interface Container {
  readonly request: ExecRequest;
  readonly call: RunCall;
  readonly files: string;
  readonly root: string;
  readonly mounts: readonly PreparedMount[];
}

async function runContainer(workshop: Workshop, container: Container): Promise<ContainerExit> {
  const { request, call, files, root, mounts } = container;
  const points: MountPoint[] = [
    ...['/proc', '/dev', '/sys', ...(request.shmSize === undefined ? [] : ['/dev/shm'])].map(
      (target) => ({ target, type: 'directory' as const }),
    ),
    ...mounts.map(({ point }) => point),
  ];
  const takeAway = placeMountPoints(root, points);
  let cgroup: Cgroup | undefined;
  try {
    if (!isInside(request.cwd, points)) placeDirectory(root, request.cwd, request.user);
    const { rootless } = workshop.abilities;
    const devices = rootless ? NO_DEVICES : makeDevices(join(files, 'dev'));
    const { streams } = workshop;
    const size = terminalOf(request, streams);
    const spec = { ...specOf(request, root, mounts), devices, terminal: size };
    const terminal = size !== undefined;
    const runtime = workshop.runtimeFor({ terminal });
    const config = runtimeConfig(spec, workshop.abilities, runtime.traits);
    cgroup = workshop.cgroupOf(request, call.key);
    return await runtime.run(call.key, config, {
      ...{ ...call, terminal, io: containerIO(request, streams) },
      ...(cgroup === undefined ? {} : { cgroup }),
    });
  } finally {
    cgroup?.remove();
    takeAway();
  }
}

function specOf(
  request: ExecRequest,
  root: string,
  mounts: readonly PreparedMount[],
): Omit<ContainerSpec, 'devices' | 'terminal'> {
  const { args, env, cwd, user, network, security } = request;
  return {
    ...{ root, args, env, cwd, user, network, security },
    readonlyRoot: request.readonlyRootfs,
    hostname: hostnameOf(request),
    mounts: mounts.map(({ mount }) => mount),
    capAdd: request.capAdd ?? [],
    capDrop: request.capDrop ?? [],
    shmSize: request.shmSize ?? DEFAULT_SHM_SIZE,
    ulimits: request.ulimits ?? [],
  };
}

const DEFAULT_SHM_SIZE = 64 << 20;
