/**
 * Whether this machine can run programs of a platform: by itself, or through an emulator that the kernel calls for them
 * (binfmt_misc, https://docs.kernel.org/admin-guide/binfmt-misc.html).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { compatiblePlatforms, hostPlatform, type Platform, samePlatform } from '../oci/platform.ts';

const BINFMT = '/proc/sys/fs/binfmt_misc';

/** Names under which qemu registers an architecture, where they differ from OCI's. */
const QEMU_NAMES: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  '386': 'i386',
  arm64: 'aarch64',
  loong64: 'loongarch64',
  mips64le: 'mips64el',
};

export function canRun(platform: Platform, directory: string = BINFMT): boolean {
  const host = hostPlatform();
  if (platform.os !== host.os) return false;
  // Nobody has said which level of amd64 this is; a program for more than it can do will tell.
  if (platform.architecture === 'amd64' && host.architecture === 'amd64') return true;
  if (compatiblePlatforms(host).some((native) => samePlatform(native, platform))) return true;
  const name = `qemu-${QEMU_NAMES[platform.architecture] ?? platform.architecture}`;
  return registered(directory).some((entry) => entry === name && isUsable(`${directory}/${entry}`));
}

function registered(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    // Not mounted, or no such kernel feature: nothing is registered.
    return [];
  }
}

/** Flag F: the kernel holds the interpreter open, so that it works where the rootfs does not have it. */
function isUsable(entry: string): boolean {
  const text = readFileSync(entry, 'utf8');
  return text.startsWith('enabled') && /^flags:.*F/m.test(text);
}
