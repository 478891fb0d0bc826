import { describe, expect, it } from 'vitest';
import { parseCapabilityMask } from '../../src/runtime/capabilities.ts';
import type { Abilities, ContainerSpec } from '../../src/runtime/runtime.ts';
import { runtimeConfig } from '../../src/runtime/spec.ts';

const spec: ContainerSpec = {
  ...{ root: '/root', readonlyRoot: false, args: ['true'], env: [], cwd: '/', hostname: 'box' },
  user: { uid: 0, gid: 0, additionalGids: [] },
  ...{
    network: 'none',
    mounts: [],
    security: 'sandbox',
    capAdd: [],
    capDrop: [],
    shmSize: 1 << 20,
  },
  ...{ ulimits: [], devices: new Map([['/dev/null', '/own/null']]) },
};
const abilities: Abilities = {
  ...{ rootless: false, unifiedCgroup: true, hardLimits: new Map() },
  capabilities: parseCapabilityMask('1ffffffffff'),
};

describe('config.json', () => {
  const config = (more: Partial<ContainerSpec> = {}, mine: Partial<Abilities> = {}) =>
    JSON.parse(runtimeConfig({ ...spec, ...more }, { ...abilities, ...mine }));
  const mountAt = (destination: string, ...args: Parameters<typeof config>) =>
    config(...args).mounts.find(
      (mount: { destination: string }) => mount.destination === destination,
    );

  it('holds limits as integers of 64 bits, whatever the arguments are', () => {
    const ulimits = [{ name: 'core', soft: 1, hard: -1 }];
    const args = ['"rlimits":null', '\u0001'];
    const text = runtimeConfig({ ...spec, ulimits, args }, abilities);
    expect(text).toContain(
      '"rlimits":[{"type":"RLIMIT_CORE","soft":1,"hard":18446744073709551615}]',
    );
    expect(JSON.parse(text).process.args).toEqual(args);
  });

  it.each([
    [
      'its own network',
      { network: 'none' },
      {},
      ['pid', 'ipc', 'uts', 'mount', 'cgroup', 'network'],
    ],
    ['the host’s network', { network: 'host' }, {}, ['pid', 'ipc', 'uts', 'mount', 'cgroup']],
    [
      'groups of version 1',
      { network: 'host' },
      { unifiedCgroup: false },
      ['pid', 'ipc', 'uts', 'mount'],
    ],
  ] as const)('has namespaces for %s', (_, more, mine, types) => {
    const namespaces = config(more, mine).linux.namespaces;
    expect(namespaces.map(({ type }: { type: string }) => type)).toEqual(types);
  });

  it('lets nothing open devices but the usual ones', () => {
    for (const mount of config().mounts) {
      const isNode = mount.destination === '/dev/null';
      const isTerminals = mount.destination === '/dev/pts';
      expect([mount.destination, mount.options.includes('nodev')]).toEqual([
        mount.destination,
        !(isNode || isTerminals),
      ]);
    }
    expect(mountAt('/dev/null')).toMatchObject({ type: 'bind', source: '/own/null' });
    expect(mountAt('/dev', { security: 'insecure' }).options).not.toContain('nodev');
  });

  it('shows /sys of the host to a user namespace on the host’s network, which cannot mount its own', () => {
    expect(mountAt('/sys', { network: 'host' }, { rootless: true }).type).toBe('bind');
    expect(mountAt('/sys', { network: 'none' }, { rootless: true }).type).toBe('sysfs');
    expect(mountAt('/sys', { network: 'host' }).options).toContain('ro');
  });

  it('gives an ordinary user no capabilities, but lets setuid programs have them', () => {
    const user = { uid: 1000, gid: 1000, additionalGids: [] };
    const { bounding, effective, permitted } = config({ user }).process.capabilities;
    expect([bounding.length, effective, permitted]).toEqual([14, [], []]);
  });

  it('hides and protects what Docker does, unless it is insecure', () => {
    expect(config().linux.maskedPaths).toContain('/proc/kcore');
    expect(config().linux.readonlyPaths).toContain('/proc/sys');
    const { maskedPaths, readonlyPaths, seccomp } = config({ security: 'insecure' }).linux;
    expect([maskedPaths, readonlyPaths, seccomp]).toEqual([undefined, undefined, undefined]);
  });
});
