import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canRun } from '../../src/host/emulation.ts';
import { hostPlatform, parsePlatform } from '../../src/oci/platform.ts';

let binfmt: string;
beforeEach(() => {
  binfmt = mkdtempSync(join(tmpdir(), 'binfmt-'));
});
afterEach(() => rmSync(binfmt, { recursive: true }));

const register = (name: string, state: string, flags: string) =>
  writeFileSync(
    join(binfmt, name),
    `${state}\ninterpreter /usr/bin/${name}-static\nflags: ${flags}\noffset 0\n`,
  );
const riscv = { os: 'linux', architecture: 'riscv64' };
const s390x = { os: 'linux', architecture: 's390x' };

describe('canRun', () => {
  it('is true for the machine itself', () => {
    expect(canRun(hostPlatform(), binfmt)).toBe(true);
  });

  it.runIf(hostPlatform().architecture === 'amd64')(
    'is true for every level of amd64 and for 386, as Docker has it',
    () => {
      for (const text of ['linux/amd64/v2', 'linux/amd64/v4', 'linux/386'])
        expect(canRun(parsePlatform(text), binfmt)).toBe(true);
    },
  );

  it('is false for another architecture without an emulator, also where binfmt_misc is not mounted', () => {
    expect(canRun(riscv, binfmt)).toBe(false);
    expect(canRun(riscv, join(binfmt, 'missing'))).toBe(false);
  });

  it('is true with an emulator that the kernel holds open', () => {
    register('qemu-riscv64', 'enabled', 'OCF');
    expect(canRun(riscv, binfmt)).toBe(true);
    expect(canRun(s390x, binfmt)).toBe(false);
  });

  it.each([
    ['is switched off', 'disabled', 'F'],
    ['would have to be in the rootfs', 'enabled', 'OC'],
  ])('is false with an emulator that %s', (_, state, flags) => {
    register('qemu-riscv64', state, flags);
    expect(canRun(riscv, binfmt)).toBe(false);
  });

  it('is false for another operating system', () => {
    expect(canRun({ os: 'windows', architecture: 'amd64' }, binfmt)).toBe(false);
  });
});
