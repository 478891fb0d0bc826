import { describe, expect, it } from 'vitest';
import {
  CAPABILITIES,
  grantedCapabilities,
  parseCapabilityMask,
} from '../../src/runtime/capabilities.ts';

describe('capabilities', () => {
  const all = new Set(CAPABILITIES);
  const granted = (
    capAdd: string[],
    capDrop: string[],
    security: 'sandbox' | 'insecure' = 'sandbox',
  ) => grantedCapabilities({ security, capAdd, capDrop }, all);
  const docker = parseCapabilityMask('a80425fb');

  it('are read from a mask', () => {
    expect([...parseCapabilityMask('0000000000200001')]).toEqual(['CAP_CHOWN', 'CAP_SYS_ADMIN']);
    expect(parseCapabilityMask('000001ffffffffff')).toEqual(all);
  });

  it.each<[string, string[], string[], Iterable<string>]>([
    ['Docker’s by default', [], [], docker],
    ['more on request, however it is written', ['sys_ptrace'], [], [...docker, 'CAP_SYS_PTRACE']],
    ['less on request', [], ['CAP_MKNOD'], [...docker].filter((name) => name !== 'CAP_MKNOD')],
    ['none', [], ['all'], []],
    ['only those added to none', ['KILL', 'CHOWN'], ['ALL'], ['CAP_CHOWN', 'CAP_KILL']],
    ['all', ['ALL'], [], all],
    ['all but those taken', ['ALL'], ['CHOWN'], CAPABILITIES.slice(1)],
  ])('are %s', (_, add, drop, expected) => {
    expect(granted(add, drop)).toEqual(CAPABILITIES.filter((name) => [...expected].includes(name)));
  });

  it('are all of them for what is insecure', () => {
    expect(granted([], [], 'insecure')).toEqual(CAPABILITIES);
  });

  it('are never more than we have ourselves', () => {
    const choice = { security: 'insecure', capAdd: ['SYS_ADMIN'], capDrop: [] } as const;
    expect(grantedCapabilities(choice, new Set(['CAP_KILL']))).toEqual(['CAP_KILL']);
  });

  it('must exist', () => {
    expect(() => granted(['FLY'], [])).toThrow('unknown capability "FLY"');
  });
});
