/** The seccomp filters of containers, each made once and kept in the store's home. */
import { join } from 'node:path';
import { digestOf, hexOf } from '../oci/digest.ts';
import { seccompProfile } from '../runtime/seccomp.ts';
import { compileFilter } from '../runtime/seccomp-filter.ts';
import type { FilterOf } from '../runtime/spec.ts';
import { remembered } from './host-facts.ts';

/** `temp` is where a file may be made. What cannot be made is left to the runtime. */
export function keptFilters(home: string, temp: string): FilterOf {
  const known = new Map<string, Buffer | undefined>();
  return (capabilities) => {
    const key = capabilities.join();
    if (!known.has(key)) known.set(key, obtain(capabilities, home, temp));
    return known.get(key);
  };
}

function obtain(capabilities: readonly string[], home: string, temp: string): Buffer | undefined {
  const profile = seccompProfile(capabilities, process.arch);
  const name = `seccomp-${hexOf(digestOf(JSON.stringify(profile)))}`;
  const text = remembered(join(home, 'host', name), '', () => {
    try {
      return compileFilter(profile, temp).toString('base64');
    } catch {
      // No libseccomp, or an old one.
      return undefined;
    }
  });
  return text === undefined ? undefined : Buffer.from(text, 'base64');
}
