/** From the name of a registry to the URLs at which it may be. */

/** Docker Hub answers on another host than the one in its names. */
export function registryHost(registry: string): string {
  return registry === 'docker.io' || registry === 'index.docker.io'
    ? 'registry-1.docker.io'
    : registry;
}

/** `host`, without port, as URL has it: IPv6 in brackets. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '[::1]' ||
    /^127(?:\.\d{1,3}){3}$/.test(name)
  );
}

/** Hosts about which something special was said; each as `host` or `host:port`. */
export interface SpecialHosts {
  /** Any certificate is believed, and plain http is spoken where there is no TLS. */
  readonly insecure?: readonly string[];
  /** Plain http alone. */
  readonly plainHttp?: readonly string[];
}

/**
 * Where to look, in order. Only https, unless the host is on this machine (then plain http is what to expect), was named
 * as insecure (then https is still better), or as one that has nothing but http. A host whose authority somebody has
 * configured (`isTrusted`) is meant to be authenticated, wherever it is.
 */
export function candidates(
  registry: string,
  { insecure = [], plainHttp = [] }: SpecialHosts = {},
  isTrusted = false,
): readonly URL[] {
  const host = registryHost(registry);
  const https = new URL(`https://${host}/`);
  const http = new URL(`http://${host}/`);
  if (names(plainHttp, http)) return [http];
  if (names(insecure, https)) return [https, http];
  if (isLoopback(https.hostname) && !isTrusted) return [http, https];
  return [https];
}

/** Whether a list of hosts has this one, with its port or for any. */
export function names(hosts: readonly string[], url: URL): boolean {
  return hosts.includes(url.host) || hosts.includes(url.hostname);
}

const HOST_AND_PATH = /^(?:\[[0-9a-fA-F:]+\]|[^\s/@?#:[\]]+)(?::\d+)?(?:\/[^\s@?#]*)?$/;

/** `host`, `host:port`, and perhaps a path within it, as mirrors are written. */
export function isHostAndPath(text: string): boolean {
  return HOST_AND_PATH.test(text);
}
