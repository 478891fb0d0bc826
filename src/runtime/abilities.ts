/** What this process may do on this host, read once from /proc. */
import { readFileSync, statfsSync } from 'node:fs';
import { parseCapabilityMask } from './capabilities.ts';
import type { Abilities } from './runtime.ts';
import { parseHardLimits } from './ulimits.ts';

/** CGROUP2_SUPER_MAGIC of linux/magic.h. */
const CGROUP2 = 0x63677270;

export function readAbilities(): Abilities {
  const status = readFileSync('/proc/self/status', 'utf8');
  return {
    rootless: isUserNamespace(readFileSync('/proc/self/uid_map', 'utf8')),
    capabilities: parseCapabilityMask(/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'),
    unifiedCgroup: isUnifiedCgroup(),
    hardLimits: parseHardLimits(readFileSync('/proc/self/limits', 'utf8')),
  };
}

/** The initial user namespace maps all ids to themselves. */
function isUserNamespace(uidMap: string): boolean {
  return uidMap.trim().split(/\s+/).join(' ') !== '0 0 4294967295';
}

function isUnifiedCgroup(): boolean {
  try {
    return statfsSync('/sys/fs/cgroup').type === CGROUP2;
  } catch {
    return false;
  }
}
