/** The device nodes that every container has: https://github.com/opencontainers/runtime-spec/blob/v1.1.0/config-linux.md#default-devices */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { makedev, mknod, S_IFCHR } from '../host/syscalls.ts';

const DEVICES: Readonly<Record<string, readonly [major: number, minor: number]>> = {
  null: [1, 3],
  zero: [1, 5],
  full: [1, 7],
  random: [1, 8],
  urandom: [1, 9],
  tty: [5, 0],
};

/** Where a node is, by the path at which containers have it. */
export type DeviceNodes = ReadonlyMap<string, string>;

/**
 * Makes the nodes in `directory`, which must be on a mount that allows devices. Nodes of a container's own: its root may
 * change their mode, which must not be that of the host's. A user namespace can make none, but its root is nobody to the
 * host's nodes either, so those will do.
 */
export function makeDevices(directory: string): DeviceNodes {
  mkdirSync(directory, { mode: 0o700 });
  const nodes = new Map<string, string>();
  for (const [name, [major, minor]] of Object.entries(DEVICES)) {
    const own = join(directory, name);
    const hosts = join('/dev', name);
    if (makeNode(own, makedev(major, minor))) nodes.set(hosts, own);
    else if (existsSync(hosts)) nodes.set(hosts, hosts);
  }
  return nodes;
}

function makeNode(path: string, device: bigint): boolean {
  try {
    mknod(path, S_IFCHR | 0o666, device);
  } catch (error) {
    if (errnoOf(error) === 'EPERM') return false;
    throw error;
  }
  // What the umask took away.
  chmodSync(path, 0o666);
  return true;
}
