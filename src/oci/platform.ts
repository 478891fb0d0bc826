/** Platforms as `os/arch[/variant]`: image-spec image-index.md, "platform". */
import { TsbuildError } from '../errors.ts';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
}

const ARCHITECTURES: Record<string, { architecture: string; variant?: string }> = {
  x86_64: { architecture: 'amd64' },
  'x86-64': { architecture: 'amd64' },
  x64: { architecture: 'amd64' },
  i386: { architecture: '386' },
  ia32: { architecture: '386' },
  aarch64: { architecture: 'arm64' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armel: { architecture: 'arm', variant: 'v6' },
  loong64: { architecture: 'loong64' },
};

/** What one word alone may name; Go's lists, as containerd has them. */
const SYSTEMS =
  'aix android darwin dragonfly freebsd illumos ios js linux macos netbsd openbsd plan9 solaris windows'.split(
    ' ',
  );
const KNOWN_ARCHITECTURES =
  '386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm'.split(
    ' ',
  );

/** Canonical form: usual aliases resolved; `arm64/v8` and `arm` without variant (`v7`) made explicit or dropped. */
export function normalizePlatform(platform: Platform): Platform {
  const alias = ARCHITECTURES[platform.architecture.toLowerCase()];
  const architecture = alias?.architecture ?? platform.architecture.toLowerCase();
  let variant: string | undefined = (platform.variant ?? alias?.variant)?.toLowerCase();
  if (variant !== undefined && /^[0-9]/.test(variant)) variant = `v${variant}`;
  if (architecture === 'arm64' && variant === 'v8') variant = undefined;
  if (architecture === 'amd64' && variant === 'v1') variant = undefined;
  if (architecture === 'arm' && variant === undefined) variant = 'v7';
  const os = platform.os.toLowerCase() === 'macos' ? 'darwin' : platform.os.toLowerCase();
  return { os, architecture, ...(variant ? { variant } : {}) };
}

/** @throws TsbuildError `PLATFORM` if `text` is not `os/arch[/variant]`, `arch` or `os`. */
export function parsePlatform(text: string, host: Platform = hostPlatform()): Platform {
  const parts = text.split('/');
  if (parts.length > 3 || parts.some((part) => !/^[A-Za-z0-9_.-]+(\([^)]*\))?$/.test(part))) {
    throw new TsbuildError('PLATFORM', `not a platform: ${JSON.stringify(text)}`, {
      hint: 'write it as os/arch or os/arch/variant, for instance linux/amd64 or linux/arm/v7',
    });
  }
  if (parts.length === 1) {
    const word = parts[0]!.toLowerCase();
    if (word === 'local') return host;
    if (SYSTEMS.includes(word)) return normalizePlatform({ ...host, os: word });
    const platform = normalizePlatform({ os: host.os, architecture: word });
    if (KNOWN_ARCHITECTURES.includes(platform.architecture)) return platform;
    throw new TsbuildError(
      'PLATFORM',
      `unknown operating system or architecture: ${JSON.stringify(text)}`,
      {
        hint: 'write it as os/arch, for instance linux/amd64',
      },
    );
  }
  const [os, architecture, variant] = parts as [string, string, string?];
  return normalizePlatform({ os, architecture, ...(variant ? { variant } : {}) });
}

export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
}

export function samePlatform(a: Platform, b: Platform): boolean {
  return formatPlatform(normalizePlatform(a)) === formatPlatform(normalizePlatform(b));
}

/** The platform of this machine. Reads only what Node already knows. */
export function hostPlatform(): Platform {
  return normalizePlatform({
    os: 'linux',
    architecture: process.arch === 'ppc64' ? 'ppc64le' : process.arch,
  });
}

/**
 * Platforms that a machine of `platform` can use, best first: arm/v7 also runs v6 and v5, arm64 runs them all.
 * The order is that of containerd's `platforms.Default`.
 */
export function compatiblePlatforms(platform: Platform): readonly Platform[] {
  const { os, architecture, variant } = normalizePlatform(platform);
  const arm = (highest: number): Platform[] =>
    [8, 7, 6, 5]
      .filter((v) => v <= highest)
      .map((v) => ({ os, architecture: 'arm', variant: `v${v}` }));
  if (architecture === 'arm') return arm(Number(variant?.slice(1) ?? 7));
  if (architecture === 'arm64')
    return [...(variant ? [{ os, architecture, variant }] : []), { os, architecture }, ...arm(8)];
  if (architecture === 'amd64') {
    const level = Number(variant?.slice(1) ?? 1);
    const levels = [4, 3, 2]
      .filter((v) => v <= level)
      .map((v) => ({ os, architecture, variant: `v${v}` }));
    return [...levels, { os, architecture }, { os, architecture: '386' }];
  }
  return [{ os, architecture, ...(variant ? { variant } : {}) }];
}
