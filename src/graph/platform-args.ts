/** Arguments that exist without being declared: the platforms, which words of FROM see, and the proxies, which RUN sees. */
import { formatPlatform, type Platform } from '../oci/platform.ts';

/** Values of the automatic platform ARGs; a stage sees those that it declares. */
export function platformArgs(
  target: Platform,
  build: Platform,
  targetStage: string,
): Record<string, string> {
  return {
    BUILDPLATFORM: formatPlatform(build),
    BUILDOS: build.os,
    BUILDOSVERSION: build['os.version'] ?? '',
    BUILDARCH: build.architecture,
    BUILDVARIANT: build.variant ?? '',
    TARGETPLATFORM: formatPlatform(target),
    TARGETOS: target.os,
    TARGETOSVERSION: target['os.version'] ?? '',
    TARGETARCH: target.architecture,
    TARGETVARIANT: target.variant ?? '',
    TARGETSTAGE: targetStage,
  };
}

const PROXY_NAMES = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];

export function isProxyArg(name: string): boolean {
  return (
    PROXY_NAMES.includes(name.toUpperCase()) &&
    (name === name.toUpperCase() || name === name.toLowerCase())
  );
}

/** `NAME=value` for each proxy argument that was given; never part of a key or of the history. */
export function proxyEnv(buildArgs: Readonly<Record<string, string>>): string[] {
  return Object.entries(buildArgs)
    .filter(([name]) => isProxyArg(name))
    .map(([name, value]) => `${name}=${value}`);
}
