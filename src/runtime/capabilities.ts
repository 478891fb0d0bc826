/** Capabilities: their names, Docker's default set, and what a container gets of them. */
import { TsbuildError } from '../errors.ts';

/** In the order of their numbers: linux/capability.h. */
export const CAPABILITIES: readonly string[] = `
  CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
  NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
  SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
  MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`
  .trim()
  .split(/\s+/)
  .map((name) => `CAP_${name}`);

/** https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities */
const DEFAULT: readonly string[] = `
  AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID
  SYS_CHROOT`
  .trim()
  .split(/\s+/)
  .map((name) => `CAP_${name}`);

export interface CapabilityChoice {
  readonly security: 'sandbox' | 'insecure';
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
}

/**
 * What a container may hold at most, of what we hold ourselves: runc fails when it is to grant what it has not.
 * @throws TsbuildError `USAGE` for a name that is no capability.
 */
export function grantedCapabilities(
  choice: CapabilityChoice,
  available: ReadonlySet<string>,
): string[] {
  const granted = new Set(choice.security === 'insecure' ? CAPABILITIES : DEFAULT);
  const drop = choice.capDrop.flatMap(expand);
  const add = choice.capAdd.flatMap(expand);
  // Docker's order: `--cap-drop=ALL --cap-add=X` leaves X, in whatever order they are given.
  for (const name of choice.capDrop.some(isAll) ? [...granted] : drop) granted.delete(name);
  for (const name of add) granted.add(name);
  if (choice.capAdd.some(isAll)) for (const name of drop) granted.delete(name);
  return CAPABILITIES.filter((name) => granted.has(name) && available.has(name));
}

/** The names in a mask like `CapEff` of /proc/self/status. */
export function parseCapabilityMask(hex: string): Set<string> {
  const mask = BigInt(`0x${hex}`);
  return new Set(CAPABILITIES.filter((_, bit) => (mask >> BigInt(bit)) & 1n));
}

function isAll(name: string): boolean {
  return name.toUpperCase() === 'ALL';
}

function expand(name: string): readonly string[] {
  if (isAll(name)) return CAPABILITIES;
  const full = name.toUpperCase().startsWith('CAP_')
    ? name.toUpperCase()
    : `CAP_${name.toUpperCase()}`;
  if (CAPABILITIES.includes(full)) return [full];
  throw new TsbuildError('USAGE', `unknown capability ${JSON.stringify(name)}`);
}
