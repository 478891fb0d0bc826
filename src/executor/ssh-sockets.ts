/**
 * The sockets by which a container speaks to ssh agents: each its own, with the mode and owner that the step asks for, and
 * passed on to the agent, whose socket is the user's alone.
 */
import { once } from 'node:events';
import { chmodSync, chownSync, closeSync, openSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { ExecMount, ExecRequest } from './protocol.ts';

type SshMount = Extract<ExecMount, { type: 'ssh' }>;

export interface SshSockets extends AsyncDisposable {
  /** Paths by mount. */
  readonly paths: ReadonlyMap<ExecMount, string>;
}

/** Opens them in `directory`. Disposing of them ends what is connected. */
export async function openSshSockets(
  { mounts }: ExecRequest,
  directory: string,
): Promise<SshSockets> {
  const paths = new Map<ExecMount, string>();
  const closers: (() => Promise<void>)[] = [];
  const sockets = {
    paths,
    async [Symbol.asyncDispose]() {
      for (const close of closers) await close();
    },
  };
  try {
    for (const mount of mounts) {
      if (mount.type !== 'ssh') continue;
      const name = `ssh-${paths.size}`;
      closers.push(await listen(mount, directory, name));
      paths.set(mount, join(directory, name));
    }
    return sockets;
  } catch (error) {
    await sockets[Symbol.asyncDispose]();
    throw error;
  }
}

async function listen(
  { agent, mode, uid, gid }: SshMount,
  directory: string,
  name: string,
): Promise<() => Promise<void>> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    passOn(client, connect({ path: agent, allowHalfOpen: true }), open);
  });
  // An address of a socket holds 107 bytes, which the path of a store may exceed; that of an open directory does not. It
  // stays open, since the file is removed by that name, too.
  const descriptor = openSync(directory, 'r');
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of open) socket.destroy();
    await closed;
    closeSync(descriptor);
  };
  try {
    server.listen(`/proc/self/fd/${descriptor}/${name}`);
    await once(server, 'listening');
    chownSync(join(directory, name), uid, gid);
    chmodSync(join(directory, name), mode);
    return close;
  } catch (error) {
    await close();
    throw error;
  }
}

/** Passes on what either says; the end of one is the end of the other. */
function passOn(client: Socket, agent: Socket, open: Set<Socket>): void {
  for (const [from, to] of [
    [client, agent],
    [agent, client],
  ] as const) {
    open.add(from);
    from.on('error', () => to.destroy());
    from.on('close', () => open.delete(from));
    from.pipe(to);
  }
}
