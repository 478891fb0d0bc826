/**
 * The mounts of a request, as the runtime wants them. What must exist for that is made here: files, and views of
 * layers.
 */
import { chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, TsbuildError } from '../errors.ts';
import { bindMount } from '../runtime/mounts.ts';
import type { RuntimeMount } from '../runtime/runtime.ts';
import { makeCache } from './cache-mount.ts';
import { etcFiles } from './etc-files.ts';
import { locateInside, type MountPoint } from './mount-points.ts';
import type { ExecMount, ExecRequest } from './protocol.ts';

export interface PreparedMount {
  readonly mount: RuntimeMount;
  readonly point: MountPoint;
}

/** Layers to be looked at. */
export type LayersView = Pick<Extract<ExecMount, { type: 'layers' }>, 'layers' | 'readonly'>;

export interface MountSources {
  /** The request's own directory in the executor's tmpfs. */
  readonly files: string;
  /** The container's sockets, by the mounts that ask for them. */
  readonly sshSockets: ReadonlyMap<ExecMount, string>;
  /** Mounts a stack of layers, and returns where its files are. */
  readonly mountLayers: (mount: LayersView) => string;
  /** Of the host's programs. */
  readonly searchPath: string;
}

/** @throws TsbuildError `NOT_FOUND` if something to be mounted does not exist. */
export function prepareMounts(request: ExecRequest, sources: MountSources): PreparedMount[] {
  const devices = request.security === 'insecure';
  const etc = etcFiles(request).map(({ target, text, readonly }) => {
    const source = join(sources.files, target.slice('/etc/'.length));
    writeFileSync(source, text, { mode: 0o644 });
    return prepared(bindMount(source, target, { readonly }), 'file');
  });
  const asked = request.mounts.map((mount, index) =>
    prepareMount(mount, { ...sources, devices, index }),
  );
  // As in the engine, what lies in another mount comes after that, in whichever order they were asked for.
  return [...etc, ...asked.sort((a, b) => depthOf(a) - depthOf(b))];
}

function depthOf({ point }: PreparedMount): number {
  return point.target.split('/').length;
}

interface MountContext extends MountSources {
  readonly devices: boolean;
  readonly index: number;
}

function prepareMount(mount: ExecMount, context: MountContext): PreparedMount {
  const { target } = mount;
  switch (mount.type) {
    case 'bind':
      return prepared(
        bindMount(mount.source, target, { ...mount, ...context }),
        typeOf(mount.source),
      );
    case 'tmpfs':
      return tmpfs(mount);
    case 'ssh':
      return prepared(bindMount(context.sshSockets.get(mount)!, target), 'file');
    case 'secret':
      return prepared(bindMount(writeSecret(mount, context), target, { readonly: true }), 'file');
    case 'cache':
      makeCache(mount, context);
      return prepared(
        bindMount(mount.source, target, { ...mount, ...context }),
        typeOf(mount.source),
      );
    case 'layers': {
      const found = locateInside(context.mountLayers(mount), mount.path);
      if (found === undefined) throw missing(mount.path);
      return prepared(bindMount(found.file, target, { ...mount, ...context }), found.type);
    }
  }
}

function prepared(mount: RuntimeMount, type: MountPoint['type']): PreparedMount {
  return { mount, point: { target: mount.destination, type } };
}

function tmpfs(mount: Extract<ExecMount, { type: 'tmpfs' }>): PreparedMount {
  const { target, size, mode } = mount;
  const options = ['nosuid', 'nodev'];
  if (mode !== undefined) options.push(`mode=${mode.toString(8)}`);
  if (size !== undefined) options.push(`size=${size}`);
  return {
    mount: { destination: target, type: 'tmpfs', source: 'tmpfs', options },
    point: { target, type: 'directory', mode: mode ?? 0o1777 },
  };
}

/** In the tmpfs of the executor: it is on no disk, and gone when the executor is. */
function writeSecret(
  secret: Extract<ExecMount, { type: 'secret' }>,
  { files, index }: MountContext,
): string {
  const directory = join(files, 'secrets');
  const file = join(directory, String(index));
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(file, secret.content, { mode: secret.mode, flag: 'wx' });
  chownSync(file, secret.uid, secret.gid);
  return file;
}

function typeOf(source: string): MountPoint['type'] {
  try {
    return statSync(source).isDirectory() ? 'directory' : 'file';
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') throw missing(source);
    throw new TsbuildError('EXECUTOR', `mount ${source}: ${(cause as Error).message}`, { cause });
  }
}

function missing(path: string): TsbuildError {
  return new TsbuildError('NOT_FOUND', `mount ${path}: no such file or directory`);
}
