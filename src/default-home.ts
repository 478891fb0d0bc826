/** Where the store is when nobody says: `TSBUILD_HOME`; `/var/lib/tsbuild` as root; else `$XDG_DATA_HOME/tsbuild`. */
import { homedir } from 'node:os';
import { join } from 'node:path';

export function defaultHome(env: Readonly<Record<string, string | undefined>>): string {
  if (env.TSBUILD_HOME) return env.TSBUILD_HOME;
  if (process.getuid?.() === 0) return '/var/lib/tsbuild';
  return join(env.XDG_DATA_HOME || join(env.HOME || homedir(), '.local', 'share'), 'tsbuild');
}
