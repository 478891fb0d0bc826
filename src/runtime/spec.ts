/**
 * config.json of an OCI bundle: https://github.com/opencontainers/runtime-spec/blob/v1.1.0/config.md
 */
import { grantedCapabilities } from './capabilities.ts';
import { rootAsItIs, standardMounts } from './mounts.ts';
import type { Abilities, ContainerSpec } from './runtime.ts';
import { seccompProfile } from './seccomp.ts';
import { type Rlimit, rlimits } from './ulimits.ts';

/** The program of the seccomp profile for a process with these capabilities, see seccomp-filter.ts. */
export type FilterOf = (capabilities: readonly string[]) => Buffer | undefined;

/** What sets a runtime apart from others. */
export interface RuntimeTraits {
  /** It takes programs. */
  readonly filterOf?: FilterOf;
  /** It mounts the root once more without the flags that it has, see mounts.ts. */
  readonly dropsRootFlags?: boolean;
}

/** @throws TsbuildError `USAGE` for a capability or ulimit that does not exist. */
export function runtimeConfig(
  spec: ContainerSpec,
  abilities: Abilities,
  { filterOf = () => undefined, dropsRootFlags = false }: RuntimeTraits = {},
): string {
  const capabilities = grantedCapabilities(spec, abilities.capabilities);
  const sandbox = spec.security === 'insecure' ? {} : sandboxOf(capabilities, filterOf);
  const config = {
    ociVersion: '1.0.2',
    process: processOf(spec, capabilities),
    // Of one that drops flags, a mount says whether it is read-only.
    root: { path: spec.root, readonly: spec.readonlyRoot && !dropsRootFlags },
    hostname: spec.hostname,
    mounts: [
      ...(dropsRootFlags ? [rootAsItIs(spec)] : []),
      ...standardMounts(spec, abilities),
      ...spec.mounts,
    ],
    linux: { namespaces: namespacesOf(spec, abilities), ...sandbox.linux },
    annotations: sandbox.annotations,
  };
  return stringify(config, rlimits(spec.ulimits, abilities));
}

interface Sandbox {
  readonly linux?: Readonly<Record<string, unknown>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

function sandboxOf(capabilities: readonly string[], filterOf: FilterOf): Sandbox {
  const paths = { maskedPaths: MASKED, readonlyPaths: READONLY };
  const filter = filterOf(capabilities);
  if (filter !== undefined)
    return { linux: paths, annotations: { [FILTER]: filter.toString('base64') } };
  return { linux: { ...paths, seccomp: seccompProfile(capabilities, process.arch) } };
}

/** Where crun takes it from: https://github.com/containers/crun/blob/1.8.1/crun.1.md */
const FILTER = 'run.oci.seccomp_bpf_data';

function processOf(spec: ContainerSpec, capabilities: readonly string[]): Record<string, unknown> {
  // As the kernel has it for ordinary users: without uid 0 nothing is held, but a setuid program can get it back.
  const held = spec.user.uid === 0 ? capabilities : [];
  return {
    terminal: spec.terminal !== undefined,
    // runc passes the size on as well, but the program may have looked by then.
    consoleSize: spec.terminal,
    user: spec.user,
    args: spec.args,
    env: spec.env,
    cwd: spec.cwd,
    capabilities: { bounding: capabilities, effective: held, permitted: held },
    // Filled in by stringify.
    rlimits: null,
    noNewPrivileges: false,
  };
}

/**
 * Own namespaces of every kind, save the network on request; not the user namespace: if there is one, we are in it.
 * Groups of version 1 are not hidden, as with Docker.
 */
function namespacesOf(spec: ContainerSpec, abilities: Abilities): { type: string }[] {
  const types = ['pid', 'ipc', 'uts', 'mount'];
  if (abilities.unifiedCgroup) types.push('cgroup');
  if (spec.network === 'none') types.push('network');
  return types.map((type) => ({ type }));
}

/** What of /proc and /sys tells too much of the host or reaches it: the lists of Docker Engine. */
const MASKED = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];
const READONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/**
 * JSON in which limits are integers of 64 bits, that JavaScript's numbers are not. A quote inside a string is
 * escaped, so no argument can be taken for the place where they go.
 */
function stringify(config: unknown, limits: readonly Rlimit[]): string {
  const rows = limits.map(
    ({ type, soft, hard }) => `{"type":${JSON.stringify(type)},"soft":${soft},"hard":${hard}}`,
  );
  return JSON.stringify(config).replace('"rlimits":null', `"rlimits":[${rows.join(',')}]`);
}
