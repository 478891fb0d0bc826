/**
 * The device nodes that every container has:
 * https://github.com/opencontainers/runtime-spec/blob/v1.1.0/config-linux.md#default-devices
 */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { makedev, mknod, S_IFCHR } from '../host/syscalls.ts';

const DEVICES: Readonly<Record<string, readonly [major: number, minor: number]>> = {
  null: [1, 3],
  zero: [1, 5],
  full: [1, 7],
  random: [1, 8],
  urandom: [1, 9],
  tty: [5, 0],
};

/** Where a node is, by the path at which the container has it. */
export type DeviceNodes = ReadonlyMap<string, string>;

/**
 * Makes the nodes in `directory`, which must be on a mount that allows devices. A container gets nodes of its own,
 * not the host's: its root may change their mode.
 */
export function makeDevices(directory: string): DeviceNodes {
  mkdirSync(directory, { mode: 0o700 });
  const nodes = new Map<string, string>();
  for (const [name, [major, minor]] of Object.entries(DEVICES)) {
    const node = join(directory, name);
    mknod(node, S_IFCHR | 0o666, makedev(major, minor));
    // What the umask took away.
    chmodSync(node, 0o666);
    nodes.set(join('/dev', name), node);
  }
  return nodes;
}

/**
 * For a user namespace: it can make no nodes, but its root is nobody to the host's, which the runtime mounts by
 * itself.
 */
export const NO_DEVICES: DeviceNodes = new Map();
