/**
 * RUN for another architecture: through qemu where this machine can register it, else an error that says what to do. What
 * the machine lacks is printed; with TSBUILD_TEST_EMULATION=1, which claims that it lacks nothing, it is a failure.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type As, type Cli, createCli } from '../helpers/cli.ts';
import { riscvProgram } from '../helpers/riscv-program.ts';

const BINFMT = '/proc/sys/fs/binfmt_misc';
const QEMU = process.env.TSBUILD_TEST_QEMU ?? '/usr/bin/qemu-riscv64-static';
const ENTRY = 'qemu-riscv64';
/** As Debian's qemu-user-static has them. */
const MAGIC = String.raw`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00`;
const MASK = String.raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`;

/** Why foreign programs cannot be run here; nothing if they can. */
let lacks: string | undefined;
let isOurs = false;
let isMounted = false;
let clis: Record<As, Cli>;

beforeAll(() => {
  clis = { root: createCli('root'), user: createCli('user') };
  lacks = register();
  if (lacks === undefined) return;
  if (process.env.TSBUILD_TEST_EMULATION === '1') throw new Error(lacks);
  process.stderr.write(`foreign RUNs are not tried: ${lacks}\n`);
});
afterAll(async () => {
  if (isOurs) writeFileSync(join(BINFMT, ENTRY), '-1');
  if (isMounted) execFileSync('umount', [BINFMT]);
  await Promise.all(Object.values(clis).map((cli) => cli[Symbol.asyncDispose]()));
});

function register(): string | undefined {
  if (existsSync(join(BINFMT, ENTRY))) return undefined;
  if (!existsSync(QEMU)) return `there is no ${QEMU} (Debian's package qemu-user-static)`;
  try {
    if (!existsSync(join(BINFMT, 'register'))) {
      execFileSync('mount', ['-t', 'binfmt_misc', 'none', BINFMT], { stdio: 'pipe' });
      isMounted = true;
    }
    // F: the kernel keeps the interpreter open, so that a rootfs need not have it.
    writeFileSync(join(BINFMT, 'register'), `:${ENTRY}:M::${MAGIC}:${MASK}:${QEMU}:F`);
    isOurs = true;
    return undefined;
  } catch (error) {
    return `binfmt_misc cannot be used: ${(error as Error).message}`;
  }
}

test.each<As>(['root', 'user'])('a RUN for another architecture, by %s', async (as) => {
  const cli = clis[as];
  const context = cli.context({
    Dockerfile: 'FROM scratch\nCOPY --chmod=755 program /program\nRUN ["/program"]\n',
  });
  writeFileSync(join(context, 'program'), riscvProgram('/made', 'made by riscv\n', 0));
  const dest = join(cli.directory, 'out');
  const args = ['build', '--platform', 'linux/riscv64', '-t', 'foreign:1', '-o', dest, context];
  const { status, stderr } = await cli.run(args);
  if (lacks !== undefined) {
    expect(status).toBe(6);
    expect(stderr).toContain('[PLATFORM]');
    expect(stderr).toMatch(/hint: .*qemu/);
    return;
  }
  expect(stderr).toContain('made by riscv');
  expect(status).toBe(0);
  expect(readFileSync(join(dest, 'made'), 'utf8')).toBe('made by riscv\n');
  const ran = await cli.run([
    'run',
    '--rm',
    '--platform',
    'linux/riscv64',
    'foreign:1',
    '/program',
  ]);
  expect(ran).toMatchObject({ status: 0, stdout: 'made by riscv\n' });
});

test('a RUN for an architecture that nothing here can run says what to install', async () => {
  const { root: cli } = clis;
  const context = cli.context({ Dockerfile: 'FROM scratch\nRUN ["/program"]\n' });
  const { status, stderr } = await cli.run(['build', '--platform', 'linux/loong64', context]);
  expect(status).toBe(6);
  expect(stderr).toContain('linux/loong64');
  expect(stderr).toMatch(/hint: .*qemu/);
});
