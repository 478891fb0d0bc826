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

/**
 * `NAME=value` for each proxy argument that was given and is not empty, in upper and lower case whichever was given, since
 * programs differ in which one they read. Never part of a key or of the history.
 */
export function proxyEnv(buildArgs: Readonly<Record<string, string>>): string[] {
  const given = (name: string) => (Object.hasOwn(buildArgs, name) ? buildArgs[name] : undefined);
  return PROXY_NAMES.flatMap((name) => {
    const lower = name.toLowerCase();
    const value = given(name) || given(lower);
    return !value ? [] : [`${name}=${value}`, `${lower}=${value}`];
  });
}
