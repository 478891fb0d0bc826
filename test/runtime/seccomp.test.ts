import { describe, expect, it } from 'vitest';
import { CAPABILITIES, parseCapabilityMask } from '../../src/runtime/capabilities.ts';
import { seccompProfile } from '../../src/runtime/seccomp.ts';

describe('the filter of system calls', () => {
  const docker = [...parseCapabilityMask('a80425fb')];
  const allowed = (capabilities: readonly string[], architecture = 'x64'): Set<string> =>
    new Set(
      seccompProfile(capabilities, architecture)
        .syscalls.filter(({ action, args }) => action === 'SCMP_ACT_ALLOW' && args === undefined)
        .flatMap(({ names }) => names),
    );

  it('refuses what it does not know', () => {
    expect(seccompProfile(docker, 'x64')).toMatchObject({
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 1,
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
    });
  });

  it.each([
    'read',
    'openat2',
    'execve',
    'futex',
    'io_setup',
    'statx',
    'rseq',
    'chroot',
    'ptrace',
    'arch_prctl',
  ])('lets %s pass', (name) => expect(allowed(docker)).toContain(name));

  // What https://docs.docker.com/engine/security/seccomp/ lists as blocked.
  it.each(
    `acct add_key bpf clock_settime create_module delete_module finit_module get_kernel_syms init_module ioperm iopl kcmp
     kexec_file_load kexec_load keyctl lookup_dcookie mount move_pages nfsservctl open_by_handle_at perf_event_open
     pivot_root query_module quotactl reboot request_key settimeofday setns stime swapon swapoff sysfs _sysctl umount umount2
     unshare uselib userfaultfd vm86 vm86old io_uring_setup io_uring_enter io_uring_register clone clone3`.split(
      /\s+/,
    ),
  )('holds %s back', (name) => expect(allowed(docker)).not.toContain(name));

  it.each([
    ['CAP_SYS_ADMIN', 'mount'],
    ['CAP_SYS_TIME', 'clock_settime'],
    ['CAP_SYS_BOOT', 'reboot'],
    ['CAP_BPF', 'bpf'],
    ['CAP_DAC_READ_SEARCH', 'open_by_handle_at'],
  ])('with %s lets %s pass', (capability, name) => {
    expect(allowed([...docker, capability])).toContain(name);
  });

  it('lets threads and processes be made, but no namespaces, and sends libc from clone3 to clone', () => {
    const rules = seccompProfile(docker, 'x64').syscalls;
    expect(rules.find(({ names }) => names[0] === 'clone')?.args).toEqual([
      { index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' },
    ]);
    expect(rules.find(({ names }) => names[0] === 'clone3')).toMatchObject({ errnoRet: 38 });
    expect(
      seccompProfile(docker, 's390x').syscalls.find(({ names }) => names[0] === 'clone')?.args?.[0]
        ?.index,
    ).toBe(1);
  });

  it('has no rules against who holds everything', () => {
    const rules = seccompProfile(CAPABILITIES, 'x64').syscalls;
    expect(rules.filter(({ action }) => action !== 'SCMP_ACT_ALLOW')).toEqual([]);
  });

  it('knows the architectures that Node runs on', () => {
    for (const architecture of [
      'x64',
      'arm64',
      'arm',
      'ppc64',
      's390x',
      'riscv64',
      'loong64',
      'ia32',
    ]) {
      expect(seccompProfile(docker, architecture).architectures).not.toEqual([]);
    }
  });
});
