import { once } from 'node:events';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ExecMount, ExecRequest } from '../../src/executor/protocol.ts';
import { openSshSockets } from '../../src/executor/ssh-sockets.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

let directory: string;
let agent: Server;
let clients: Socket[];
beforeEach(async () => {
  directory = tempDirectory();
  clients = [];
  agent = createServer({ allowHalfOpen: true }, (socket) => {
    clients.push(socket);
    // Those who leave early.
    socket.on('error', () => {});
    socket.on('data', (data) => socket.write(data.toString().toUpperCase()));
    socket.on('end', () => socket.end('BYE'));
  });
  await once(agent.listen(join(directory, 'agent')), 'listening');
});
afterEach(() => {
  for (const client of clients) client.destroy();
  agent.close();
});

const mount = (options: Partial<ExecMount> = {}): ExecMount =>
  ({
    ...{ type: 'ssh', agent: join(directory, 'agent'), target: '/x', mode: 0o600, uid: 0, gid: 0 },
    ...options,
  }) as ExecMount;
const request = (...mounts: ExecMount[]) => ({ mounts }) as unknown as ExecRequest;

test('a socket passes on what either side says, to the end', async () => {
  const asked = mount();
  await using sockets = await openSshSockets(request(asked), directory);
  const client = connect(sockets.paths.get(asked)!);
  client.end('hello ');
  expect(await text(client)).toBe('HELLO BYE');
});

test('each has the mode and the owner that are asked for, the agent’s own stays as it is', async () => {
  const before = statSync(join(directory, 'agent')).mode;
  const asked = [mount(), mount({ mode: 0o666, uid: 5, gid: 6 })];
  await using sockets = await openSshSockets(request(...asked), directory);
  const found = asked.map((one) => {
    const { mode, uid, gid } = statSync(sockets.paths.get(one)!);
    return [(mode & 0o777).toString(8), uid, gid];
  });
  expect(found).toEqual([
    ['600', 0, 0],
    ['666', 5, 6],
  ]);
  expect(statSync(join(directory, 'agent')).mode).toBe(before);
});

test('a directory may have a longer path than addresses of sockets can hold', async () => {
  const deep = join(directory, 'x'.repeat(120));
  mkdirSync(deep);
  const asked = mount();
  const sockets = await openSshSockets(request(asked), deep);
  expect(existsSync(join(deep, 'ssh-0'))).toBe(true);
  await sockets[Symbol.asyncDispose]();
  expect(existsSync(join(deep, 'ssh-0'))).toBe(false);
});

test('the end of the step is the end of what is connected', async () => {
  const asked = mount();
  const sockets = await openSshSockets(request(asked), directory);
  const client = connect(sockets.paths.get(asked)!);
  client.write('hello');
  await once(client, 'data');
  const closed = once(client, 'close');
  await sockets[Symbol.asyncDispose]();
  await closed;
});

test('an agent that is gone ends the connection, and nothing else', async () => {
  const asked = mount({ agent: join(directory, 'nobody') });
  await using sockets = await openSshSockets(request(asked), directory);
  const client = connect(sockets.paths.get(asked)!);
  expect(await text(client)).toBe('');
});
