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

/**
 * Where to look, in order. Only https, unless the host is on this machine (then plain http is what to expect) or was named
 * as insecure (then https is still better).
 */
export function candidates(registry: string, insecure: readonly string[]): readonly URL[] {
  const host = registryHost(registry);
  const https = new URL(`https://${host}/`);
  const http = new URL(`http://${host}/`);
  if (isLoopback(https.hostname)) return [http, https];
  if (insecure.includes(https.host) || insecure.includes(host) || insecure.includes(https.hostname))
    return [https, http];
  return [https];
}
