/** /etc/hosts, /etc/resolv.conf and /etc/hostname of a container: files of ours, mounted over what the image has. */
import { readFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import type { ExecRequest } from './protocol.ts';

export interface EtcFile {
  readonly target: string;
  readonly text: string;
  readonly readonly: boolean;
}

/** A step of a build may not write them, as with Docker: what it wrote would be lost. A container that runs may. */
export function etcFiles(request: ExecRequest): EtcFile[] {
  const readonly = request.commit !== undefined;
  const hostname = hostnameOf(request);
  const files = [
    { target: '/etc/hosts', text: hostsFile(hostname, request.addHosts), readonly },
    { target: '/etc/resolv.conf', text: resolvConf(), readonly },
  ];
  return readonly
    ? files
    : [...files, { target: '/etc/hostname', text: `${hostname}\n`, readonly }];
}

export function hostnameOf(request: ExecRequest): string {
  return request.hostname ?? 'tsbuild';
}

/** As Docker Engine writes it. */
export function hostsFile(hostname: string, addHosts: ExecRequest['addHosts']): string {
  const lines = [
    `127.0.0.1\tlocalhost ${hostname}`,
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...addHosts.map(([name, address]) => `${address}\t${name}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** The host's own, since the container is on its network or on none. */
export function resolvConf(path = '/etc/resolv.conf'): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return '';
  }
}
