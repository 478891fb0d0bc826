/**
 * The seccomp filter: what is not listed is refused with EPERM. It admits what Docker's default profile is documented
 * to admit (https://docs.docker.com/engine/security/seccomp/): ordinary programs, compilers, package managers,
 * debuggers and language runtimes notice nothing; what remains out is what makes namespaces, mounts, keys, modules,
 * clocks and other things of the kernel itself. Some calls come back with the capability that the kernel asks for
 * anyway.
 *
 * Two refusals are answered with ENOSYS, "there is no such call": clone3, whose flags lie in memory where no filter
 * can read them, so that libc falls back to clone; and whatever is newer than the newest call listed here, which runc
 * does by itself.
 */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly {
    readonly index: number;
    readonly value: number;
    readonly valueTwo?: number;
    readonly op: string;
  }[];
}

/** The filter for a process that holds `capabilities`; `architecture` as Node names it. */
export function seccompProfile(
  capabilities: readonly string[],
  architecture: string,
): SeccompProfile {
  const held = new Set(capabilities);
  const granted = Object.entries(BY_CAPABILITY).flatMap(([capability, names]) =>
    held.has(capability) ? words(names) : [],
  );
  const names = [
    ...ALWAYS.flatMap(words),
    ...words(BY_ARCHITECTURE[architecture] ?? ''),
    ...granted,
  ];
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: (ARCHITECTURES[architecture] ?? []).map((name) => `SCMP_ARCH_${name}`),
    syscalls: [
      { names: [...new Set(names)].sort(), action: ALLOW },
      ...PERSONALITIES.map((value) =>
        allowIf('personality', { index: 0, value, op: 'SCMP_CMP_EQ' }),
      ),
      // Sockets to the hypervisor know nothing of network namespaces.
      allowIf('socket', { index: 0, value: AF_VSOCK, op: 'SCMP_CMP_NE' }),
      ...(held.has('CAP_SYS_ADMIN') ? [] : cloneRules(architecture)),
    ],
  };
}

/** clone, but no new namespaces. */
function cloneRules(architecture: string): SeccompRule[] {
  // On s390x the flags come second.
  const index = architecture === 's390x' ? 1 : 0;
  return [
    allowIf('clone', { index, value: CLONE_NEW, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }),
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
  ];
}

function allowIf(name: string, arg: NonNullable<SeccompRule['args']>[number]): SeccompRule {
  return { names: [name], action: ALLOW, args: [arg] };
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

const ALLOW = 'SCMP_ACT_ALLOW';
const EPERM = 1;
const ENOSYS = 38;
const AF_VSOCK = 40;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of linux/sched.h. */
const CLONE_NEW = 0x7e020000;
/** PER_LINUX, PER_LINUX32, each also with UNAME26, and the question for the present one. */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

const ALWAYS: readonly string[] = [
  // Files: open, read, write, seek, map, and their many generations.
  `open openat openat2 creat close close_range read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2
   lseek _llseek sendfile sendfile64 splice tee vmsplice copy_file_range readahead fadvise64 fadvise64_64
   sync syncfs fsync fdatasync sync_file_range fallocate truncate truncate64 ftruncate ftruncate64
   fcntl fcntl64 flock dup dup2 dup3 pipe pipe2 ioctl memfd_create memfd_secret cachestat`,
  // Names, attributes and directories.
  `stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64 ustat
   access faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd chdir fchdir
   mkdir mkdirat rmdir mknod mknodat link linkat symlink symlinkat unlink unlinkat rename renameat renameat2
   chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat lchown lchown32 umask
   utime utimes utimensat utimensat_time64 futimesat name_to_handle_at
   getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat
   listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat statmount listmount`,
  // Waiting for events, asynchronous files.
  `poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
   epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4
   inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark
   timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
   io_setup io_submit io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64`,
  // Memory.
  `brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 munlock mlockall munlockall mseal
   remap_file_pages pkey_alloc pkey_free pkey_mprotect process_mrelease map_shadow_stack membarrier rseq`,
  // Processes and threads.
  `fork vfork execve execveat exit exit_group wait4 waitid waitpid pidfd_open pidfd_send_signal kill tkill tgkill
   getpid getppid gettid getpgid getpgrp setpgid getsid setsid set_tid_address get_thread_area set_thread_area
   set_robust_list get_robust_list futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue
   prctl seccomp restart_syscall ptrace process_vm_readv process_vm_writev uretprobe`,
  // Identity and limits.
  `getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getgroups getgroups32 setgroups setgroups32
   setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32
   getresuid getresuid32 getresgid getresgid32 setfsuid setfsuid32 setfsgid setfsgid32 capget capset
   getrlimit ugetrlimit setrlimit prlimit64 getrusage times
   landlock_create_ruleset landlock_add_rule landlock_restrict_self`,
  // Scheduling.
  `getpriority setpriority ioprio_get ioprio_set nice sched_yield sched_getparam sched_setparam sched_getscheduler
   sched_setscheduler sched_getattr sched_setattr sched_get_priority_max sched_get_priority_min
   sched_rr_get_interval sched_rr_get_interval_time64 sched_getaffinity sched_setaffinity getcpu`,
  // Signals, timers and clocks (looking only).
  `rt_sigaction rt_sigprocmask rt_sigpending rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
   rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signal sigaction sigpending sigprocmask sigreturn sigsuspend
   alarm pause getitimer setitimer nanosleep clock_nanosleep clock_nanosleep_time64 clock_getres clock_getres_time64
   clock_gettime clock_gettime64 clock_adjtime clock_adjtime64 adjtimex gettimeofday time
   timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64`,
  // Sockets; socket itself has a rule of its own.
  `socketcall socketpair bind connect listen accept accept4 getsockname getpeername getsockopt setsockopt shutdown
   send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64`,
  // System V and POSIX interprocess communication; both have a namespace.
  `ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget
   mq_open mq_unlink mq_getsetattr mq_notify mq_timedreceive mq_timedreceive_time64 mq_timedsend
   mq_timedsend_time64`,
  'uname sysinfo getrandom',
];

const BY_ARCHITECTURE: Readonly<Record<string, string>> = {
  x64: 'arch_prctl modify_ldt',
  ia32: 'modify_ldt',
  arm: 'arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls',
  arm64: 'arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls',
  ppc64: 'sync_file_range2 swapcontext',
  s390x: 's390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr',
  riscv64: 'riscv_flush_icache riscv_hwprobe',
};

/**
 * The machine's own kind, and those whose programs it runs as well; others are killed at their first call. x32 is left
 * out: nothing uses it, and each kind takes libseccomp 6 ms for every container.
 */
const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  x64: ['X86_64', 'X86'],
  ia32: ['X86'],
  arm64: ['AARCH64', 'ARM'],
  arm: ['ARM'],
  ppc64: ['PPC64LE'],
  s390x: ['S390X', 'S390'],
  riscv64: ['RISCV64'],
  loong64: ['LOONGARCH64'],
  mips64el: ['MIPSEL64', 'MIPSEL64N32', 'MIPSEL'],
  mipsel: ['MIPSEL', 'MIPSEL64', 'MIPSEL64N32'],
};

const BY_CAPABILITY: Readonly<Record<string, string>> = {
  CAP_DAC_READ_SEARCH: 'open_by_handle_at',
  CAP_SYS_ADMIN: `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount
    open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare`,
  CAP_SYS_BOOT: 'reboot',
  CAP_SYS_CHROOT: 'chroot',
  CAP_SYS_MODULE: 'delete_module init_module finit_module',
  CAP_SYS_PACCT: 'acct',
  CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise',
  CAP_SYS_RAWIO: 'iopl ioperm',
  CAP_SYS_TIME: 'settimeofday stime clock_settime clock_settime64',
  CAP_SYS_TTY_CONFIG: 'vhangup',
  CAP_SYS_NICE: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node',
  CAP_SYSLOG: 'syslog',
  CAP_BPF: 'bpf',
  CAP_PERFMON: 'perf_event_open',
};
