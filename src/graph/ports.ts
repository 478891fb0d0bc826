/** EXPOSE words: `port[-port][/protocol]`, with what `docker run -p` allows in front of it ignored. */
import { isIP } from 'node:net';
import { TsbuildError } from '../errors.ts';

const PROTOCOLS = new Set(['tcp', 'udp', 'sctp']);

/** The keys of ExposedPorts that a word stands for: `90-91/udp` → `90/udp`, `91/udp`. */
export function exposedPorts(word: string): string[] {
  const [ports = '', protocolWord = 'tcp', ...more] = word.split('/');
  const protocol = (protocolWord || 'tcp').toLowerCase();
  if (more.length > 0 || !PROTOCOLS.has(protocol))
    throw invalid(word, `unknown protocol ${JSON.stringify(protocolWord)}`);
  const { host, container } = splitHost(word, ports);
  const [first, last] = portRange(word, container);
  if (host) checkHostRange(word, portRange(word, host), last - first);
  return Array.from({ length: last - first + 1 }, (_, offset) => `${first + offset}/${protocol}`);
}

/** `[ip:][hostPort:]containerPort`: what comes before the last colon has no meaning here, but has to be right. */
function splitHost(word: string, text: string): { host: string | undefined; container: string } {
  const [, ip, host, container] = /^(?:(?:(\[[^\]]*\]|[^:]*):)?([^:]*):)?([^:]*)$/.exec(text) ?? [];
  if (container === undefined) throw invalid(word, 'too many colons');
  if (ip && isIP(ip.replace(/^\[|\]$/g, '')) === 0)
    throw invalid(word, `${JSON.stringify(ip)} is not an IP address`);
  return { host, container };
}

/** Several ports of the host may stand for one of the container. */
function checkHostRange(word: string, [first, last]: [number, number], span: number): void {
  if (span > 0 && last - first !== span) throw invalid(word, 'the ranges differ in length');
}

function portRange(word: string, text: string): [number, number] {
  const match = /^\+?(\d+)(?:-\+?(\d+))?$/.exec(text);
  if (match === null) throw invalid(word, 'not a port or a range of ports');
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  if (first > 65535 || last > 65535) throw invalid(word, 'ports end at 65535');
  if (last < first) throw invalid(word, 'the range ends before it begins');
  return [first, last];
}

function invalid(word: string, why: string): TsbuildError {
  return new TsbuildError(
    'DOCKERFILE_PARSE',
    `invalid containerPort ${JSON.stringify(word)}: ${why}`,
    {
      hint: 'write EXPOSE as 8080, 8080/udp or 8000-8010/tcp',
    },
  );
}
