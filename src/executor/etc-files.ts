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
  const hosts =
    !readonly && request.network === 'host' ? hostsOfHost(hostname) : ownHosts(hostname);
  const files = [
    { target: '/etc/hosts', text: hosts + extraHosts(request.addHosts), readonly },
    { target: '/etc/resolv.conf', text: readIfThere('/etc/resolv.conf'), readonly },
  ];
  return readonly
    ? files
    : [...files, { target: '/etc/hostname', text: `${hostname}\n`, readonly }];
}

export function hostnameOf(request: ExecRequest): string {
  return request.hostname ?? 'tsbuild';
}

/** As Docker Engine writes it. */
function ownHosts(hostname: string): string {
  return `127.0.0.1\tlocalhost ${hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n`;
}

/** A container on the host's network finds what the host finds, and itself. */
function hostsOfHost(hostname: string): string {
  const text = readIfThere('/etc/hosts');
  return `${text}${text.endsWith('\n') ? '' : '\n'}127.0.0.1\t${hostname}\n`;
}

function extraHosts(addHosts: ExecRequest['addHosts']): string {
  return addHosts.map(([name, address]) => `${address}\t${name}\n`).join('');
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return '';
  }
}
