import { describe, expect, it } from 'vitest';
import { exposedPorts } from '../../src/graph/ports.ts';
import { checkSignal } from '../../src/graph/signals.ts';

describe('exposedPorts', () => {
  it.each([
    ['80', ['80/tcp']],
    ['80/udp', ['80/udp']],
    ['80/TCP', ['80/tcp']],
    ['90-92/sctp', ['90/sctp', '91/sctp', '92/sctp']],
    ['7000:8000', ['8000/tcp']],
    ['127.0.0.1:7000:8000/udp', ['8000/udp']],
    ['+80-+81', ['80/tcp', '81/tcp']],
    ['1-3:7', ['7/tcp']],
    ['1-2:7-8', ['7/tcp', '8/tcp']],
  ])('reads %s', (word, ports) => {
    expect(exposedPorts(word)).toEqual(ports);
  });

  it.each([
    '',
    'http',
    '80/icmp',
    '70000',
    '9-8',
    '80/tcp/udp',
    '-1',
    'a:80',
    'x:1:80',
    '1:2:3:4',
    '1-3:7-8',
  ])('refuses %j', (word) => {
    expect(() => exposedPorts(word)).toThrow(expect.objectContaining({ code: 'DOCKERFILE_PARSE' }));
  });
});

describe('checkSignal', () => {
  it.each([
    '9',
    'KILL',
    'SIGKILL',
    'sigterm',
    'RTMIN+3',
    'SIGRTMAX-14',
    '64',
    '65',
    '-9',
    '+9',
    '009',
  ])('takes %s', (signal) => {
    expect(() => checkSignal(signal)).not.toThrow();
  });

  it.each(['', '0', '-0', 'SIG', 'NOPE', '9999999999999999999', '0x9', 'RTMIN+16'])(
    'refuses %j',
    (signal) => {
      expect(() => checkSignal(signal)).toThrow(
        expect.objectContaining({ code: 'DOCKERFILE_PARSE' }),
      );
    },
  );
});
