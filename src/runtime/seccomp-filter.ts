/**
 * A seccomp profile as the kernel takes it, a program for its packet filter (seccomp(2)), made by libseccomp, which
 * every OCI runtime is linked with.
 *
 * Runtimes make it anew for each container, which takes 6.6 of the 11.5 ms that one costs crun, and 11 of runc's 27. So we
 * make it once, and crun is given the program, see spec.ts. As runc does, what is newer than the newest system call of the profile is answered
 * with ENOSYS: "not in this kernel", so that a C library goes back to an older call; for libseccomp it would be one that
 * is not listed.
 */
import { closeSync, fstatSync, openSync, readSync, unlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { loadKoffi } from '../host/koffi.ts';
import { lazily } from '../host/lazily.ts';
import type { SeccompProfile, SeccompRule } from './seccomp.ts';

/**
 * Returns an array of `struct sock_filter`. `directory` is where a file may be made.
 * @throws Error if there is no libseccomp, or it refuses the profile
 */
export function compileFilter(profile: SeccompProfile, directory: string): Buffer {
  const library = libseccomp();
  const tokens = profile.architectures.map((name) => architectureOf(name));
  const context = library.seccomp_init(actionOf(profile.defaultAction, profile.defaultErrnoRet));
  try {
    for (const token of tokens) {
      const result = library.seccomp_arch_add(context, token);
      // The native one is there already.
      if (result !== -constants.errno.EEXIST) check('seccomp_arch_add', result);
    }
    for (const rule of profile.syscalls) addRule(context, rule);
    check('seccomp_attr_set', library.seccomp_attr_set(context, OPTIMIZE, BINARY_TREE));
    const names = profile.syscalls.flatMap((rule) => rule.names);
    const newest = tokens.map((token) => ({ token, newest: newestOf(token, names) }));
    return Buffer.concat([refuseNewer(newest), exported(context, directory)]);
  } finally {
    library.seccomp_release(context);
  }
}

function addRule(context: unknown, rule: SeccompRule): void {
  const library = libseccomp();
  const conditions = (rule.args ?? []).map(conditionOf);
  for (const name of rule.names) {
    const call = library.seccomp_syscall_resolve_name(name);
    // Newer than libseccomp.
    if (call === UNKNOWN_CALL) continue;
    const result = library.seccomp_rule_add_array(
      ...[context, actionOf(rule.action, rule.errnoRet), call],
      ...[conditions.length, Buffer.concat(conditions)],
    );
    check(`seccomp_rule_add_array of ${name}`, result);
  }
}

/** `struct scmp_arg_cmp` */
function conditionOf({ index, value, valueTwo = 0, op }: NonNullable<SeccompRule['args']>[number]) {
  const comparison = COMPARISONS.indexOf(op);
  if (comparison < 0) throw new TypeError(`unknown comparison ${op}`);
  return Buffer.concat([
    bytesOf(Uint32Array.of(index, comparison)),
    bytesOf(BigUint64Array.of(BigInt(value), BigInt(valueTwo))),
  ]);
}

function actionOf(name: string, errno = 0): number {
  if (name === 'SCMP_ACT_ALLOW') return RET_ALLOW;
  if (name === 'SCMP_ACT_ERRNO') return RET_ERRNO | errno;
  throw new TypeError(`unknown action ${name}`);
}

function architectureOf(name: string): number {
  const library = libseccomp();
  const token = library.seccomp_arch_resolve_name(name.replace(/^SCMP_ARCH_/, '').toLowerCase());
  if (token === 0) throw new Error(`libseccomp does not know ${name}`);
  return token;
}

function newestOf(token: number, names: readonly string[]): number {
  const library = libseccomp();
  const calls = names.map((name) => library.seccomp_syscall_resolve_name_arch(token, name));
  return Math.max(...calls.filter((call) => call < OUT_OF_ORDER));
}

/** A beginning of the program: with a newer call it ends here, otherwise it goes on behind it. */
function refuseNewer(architectures: readonly { token: number; newest: number }[]): Buffer {
  const blocks = architectures.map(({ token, newest }, index) => {
    const behind = (architectures.length - 1 - index) * BLOCK;
    return [
      // A token is the AUDIT_ARCH_… of linux/audit.h.
      instruction(JEQ, token, 0, BLOCK - 1),
      instruction(LOAD, CALL),
      instruction(JGT, newest, 0, behind + BLOCK - 3),
      instruction(JGE, OUT_OF_ORDER, behind + BLOCK - 4, 0),
      instruction(RETURN, RET_ERRNO | constants.errno.ENOSYS),
    ];
  });
  return Buffer.concat([instruction(LOAD, ARCHITECTURE), ...blocks.flat()]);
}

/** `struct sock_filter`: https://docs.kernel.org/networking/filter.html */
function instruction(code: number, k: number, whenTrue = 0, whenFalse = 0): Buffer {
  return Buffer.concat([
    bytesOf(Uint16Array.of(code)),
    Buffer.of(whenTrue, whenFalse),
    bytesOf(Uint32Array.of(k)),
  ]);
}

/** In this machine's byte order. */
function bytesOf(numbers: NodeJS.TypedArray): Buffer {
  return Buffer.from(numbers.buffer);
}

/** libseccomp writes to a file descriptor. */
function exported(context: unknown, directory: string): Buffer {
  const file = join(directory, 'seccomp');
  const fd = openSync(file, 'wx+', 0o600);
  try {
    unlinkSync(file);
    check('seccomp_export_bpf', libseccomp().seccomp_export_bpf(context, fd));
    const bytes = Buffer.alloc(fstatSync(fd).size);
    readSync(fd, bytes, 0, bytes.length, 0);
    return bytes;
  } finally {
    closeSync(fd);
  }
}

function check(call: string, result: number): void {
  if (result < 0) throw new Error(`${call}: ${result}`);
}

/** linux/seccomp.h */
const RET_ALLOW = 0x7fff0000;
const RET_ERRNO = 0x00050000;
/** Places in `struct seccomp_data`. */
const CALL = 0;
const ARCHITECTURE = 4;
/** linux/bpf_common.h */
const LOAD = 0x20;
const JEQ = 0x15;
const JGT = 0x25;
const JGE = 0x35;
const RETURN = 0x06;
/** Instructions for one architecture. */
const BLOCK = 5;
/** Numbers from here on are not given out one after the other: ARM's own calls, and those of x32. */
const OUT_OF_ORDER = 0x10000;

/** seccomp.h of libseccomp */
const OPTIMIZE = 8;
const BINARY_TREE = 2;
const UNKNOWN_CALL = -1;
const COMPARISONS = [
  ...['', 'SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE'],
  ...['SCMP_CMP_GT', 'SCMP_CMP_MASKED_EQ'],
];

const SIGNATURES = {
  seccomp_init: 'void *seccomp_init(uint32_t action)',
  seccomp_release: 'void seccomp_release(void *context)',
  seccomp_arch_resolve_name: 'uint32_t seccomp_arch_resolve_name(const char *name)',
  seccomp_arch_add: 'int seccomp_arch_add(void *context, uint32_t token)',
  seccomp_attr_set: 'int seccomp_attr_set(void *context, int attribute, uint32_t value)',
  seccomp_syscall_resolve_name: 'int seccomp_syscall_resolve_name(const char *name)',
  seccomp_syscall_resolve_name_arch:
    'int seccomp_syscall_resolve_name_arch(uint32_t token, const char *name)',
  seccomp_rule_add_array:
    'int seccomp_rule_add_array(void *context, uint32_t action, int call, unsigned int count, void *conditions)',
  seccomp_export_bpf: 'int seccomp_export_bpf(void *context, int fd)',
} as const;

type Call = (...args: readonly unknown[]) => number;
interface Libseccomp extends Record<Exclude<keyof typeof SIGNATURES, 'seccomp_init'>, Call> {
  readonly seccomp_init: (action: number) => unknown;
}

const libseccomp = lazily(() => {
  const file = loadKoffi().load('libseccomp.so.2');
  const calls = Object.entries(SIGNATURES).map(([name, signature]) => [name, file.func(signature)]);
  return Object.fromEntries(calls) as Libseccomp;
});
