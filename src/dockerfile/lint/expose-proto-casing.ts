import type { Rule } from './rule.ts';

export const exposeProtoCasing: Rule = {
  name: 'ExposeProtoCasing',
  description: 'Protocol in EXPOSE instruction should be lowercase',
  page: 'expose-proto-casing',
  checkStep({ instruction }, report) {
    if (instruction.kind !== 'expose') return;
    for (const port of instruction.ports) {
      // What is no protocol in any case is an error.
      const protocol = /^[^/]+\/(tcp|udp|sctp)$/i.exec(port)?.[1];
      if (protocol === undefined || protocol === protocol.toLowerCase()) continue;
      report(`Defined protocol '${port}' in EXPOSE instruction should be lowercase`);
    }
  },
};
