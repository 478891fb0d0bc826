import type { Rule } from './rule.ts';

export const exposeInvalidFormat: Rule = {
  name: 'ExposeInvalidFormat',
  description:
    'IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release',
  page: 'expose-invalid-format',
  checkStep({ instruction }, report) {
    if (instruction.kind !== 'expose') return;
    for (const port of instruction.ports) {
      const parts = port.split('/')[0]!.split(':');
      // `:80` maps to nothing and is let pass; `80:` is an error.
      if (parts.at(-1) === '' || parts.slice(0, -1).every((part) => part === '')) continue;
      report(
        `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`,
      );
    }
  },
};
