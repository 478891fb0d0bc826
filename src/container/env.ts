/** The environment of a container. */
import { envMap, type RunConfig } from '../oci/config.ts';

export interface EnvironmentOptions {
  readonly env: readonly string[];
  readonly hostname: string;
  /** The user's, as the image's /etc/passwd has it. */
  readonly home: string;
  readonly tty: boolean;
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What every container has, what the image says, and what the caller says: a later one wins. */
export function containerEnv(config: RunConfig, options: EnvironmentOptions): readonly string[] {
  const env = new Map([
    ['PATH', DEFAULT_PATH],
    ['HOSTNAME', options.hostname],
    ...(options.tty ? ([['TERM', 'xterm']] as const) : []),
    ['HOME', options.home],
    ...envMap(config.Env),
    ...envMap(options.env),
  ]);
  return [...env].map(([name, value]) => `${name}=${value}`);
}
