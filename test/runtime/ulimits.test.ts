import { describe, expect, it } from 'vitest';
import type { Abilities } from '../../src/runtime/runtime.ts';
import { parseHardLimits, rlimits } from '../../src/runtime/ulimits.ts';

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max core file size        0                    unlimited            bytes
Max open files            1024                 4096                 files
Max processes             1000                 2000                 processes
`;

describe('limits', () => {
  const abilities = (capabilities: string[], rootless = false): Abilities => ({
    ...{ rootless, unifiedCgroup: false, capabilities: new Set(capabilities) },
    hardLimits: parseHardLimits(LIMITS),
  });
  const plain = abilities([]);

  it('are read from /proc', () => {
    expect(parseHardLimits(LIMITS)).toEqual(
      new Map([
        ['nofile', 4096],
        ['nproc', 2000],
      ]),
    );
  });

  it.each([
    ['pass when they are low enough', plain, { soft: 10, hard: 20 }, { soft: 10n, hard: 20n }],
    ['are cut to what was inherited', plain, { soft: 10, hard: 9999 }, { soft: 10n, hard: 4096n }],
    ['are cut, both of them', plain, { soft: 9999, hard: 9999 }, { soft: 4096n, hard: 4096n }],
    [
      'are cut when there shall be none',
      plain,
      { soft: -1, hard: -1 },
      { soft: 4096n, hard: 4096n },
    ],
    [
      'are raised by who may',
      abilities(['CAP_SYS_RESOURCE']),
      { soft: 9999, hard: -1 },
      { soft: 9999n, hard: 18446744073709551615n },
    ],
    [
      'are not raised in a user namespace',
      abilities(['CAP_SYS_RESOURCE'], true),
      { soft: 9999, hard: 9999 },
      { soft: 4096n, hard: 4096n },
    ],
  ])('%s', (_, mine, asked, expected) => {
    expect(rlimits([{ name: 'nofile', ...asked }], mine)).toEqual([
      { type: 'RLIMIT_NOFILE', ...expected },
    ]);
  });

  it('have no bound where nothing bounds them', () => {
    expect(rlimits([{ name: 'core', soft: 5, hard: -1 }], plain)).toEqual([
      { type: 'RLIMIT_CORE', soft: 5n, hard: 18446744073709551615n },
    ]);
  });

  it('must make sense', () => {
    expect(() => rlimits([{ name: 'x', soft: 1, hard: 1 }], plain)).toThrow('unknown ulimit "x"');
    expect(() => rlimits([{ name: 'nofile', soft: 2, hard: 1 }], plain)).toThrow(
      'above the hard limit',
    );
  });
});
