import { describe, expect, it } from 'vitest';
import { containerEnv } from '../../src/container/env.ts';

const options = { env: [], hostname: 'box', home: '/home/me', tty: false };
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

describe('the environment of a container', () => {
  it.each([
    ['has what every container has', {}, {}, [PATH, 'HOSTNAME=box', 'HOME=/home/me']],
    [
      'names the kind of a terminal',
      {},
      { tty: true },
      [PATH, 'HOSTNAME=box', 'TERM=xterm', 'HOME=/home/me'],
    ],
    [
      'is what the image says, and then what the caller says',
      { Env: ['PATH=/bin', 'A=1', 'B=1'] },
      { env: ['B=2', 'C=a=b', 'HOME=/'] },
      ['PATH=/bin', 'HOSTNAME=box', 'HOME=/', 'A=1', 'B=2', 'C=a=b'],
    ],
  ])('%s', (_, config, more, env) => {
    expect(containerEnv(config, { ...options, ...more })).toEqual(env);
  });
});
