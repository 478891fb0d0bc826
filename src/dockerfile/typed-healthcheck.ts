import { commandLine } from './command-line.ts';
import { parseDuration } from './duration.ts';
import { parseFlags } from './flags.ts';
import type { Healthcheck, Written } from './instruction.ts';
import type { SyntaxNode } from './syntax.ts';
import { SyntaxFault } from './syntax-error.ts';

const FLAGS = {
  interval: 'string',
  timeout: 'string',
  'start-period': 'string',
  'start-interval': 'string',
  retries: 'string',
} as const;

const UNSAID = { interval: 0, timeout: 0, startPeriod: 0, startInterval: 0, retries: 0 };

export function readHealthcheck(node: SyntaxNode): Omit<Healthcheck, keyof Written> {
  const [kind, ...args] = node.args;
  if (kind === undefined) throw new SyntaxFault('HEALTHCHECK requires at least one argument');
  const folded = kind.toUpperCase();
  if (folded === 'NONE') {
    if (args.length > 0) throw new SyntaxFault('HEALTHCHECK NONE takes no arguments');
    // The engine does not look at the flags of NONE.
    return { kind: 'healthcheck', ...UNSAID };
  }
  const flags = parseFlags(node.flags, FLAGS);
  if (folded !== 'CMD') {
    throw new SyntaxFault(`unknown type ${JSON.stringify(folded)} in HEALTHCHECK (try CMD)`, {
      hint: 'write HEALTHCHECK CMD command, or HEALTHCHECK NONE',
    });
  }
  if (args.length === 0) throw new SyntaxFault('missing command after HEALTHCHECK CMD');
  return {
    kind: 'healthcheck',
    command: commandLine({ form: node.form, args }),
    interval: readInterval('interval', flags.interval),
    timeout: readInterval('timeout', flags.timeout),
    startPeriod: readInterval('start-period', flags['start-period']),
    startInterval: readInterval('start-interval', flags['start-interval']),
    retries: readRetries(flags.retries),
  };
}

const MILLISECOND = 1e6;

function readInterval(name: string, text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  const duration = parseDuration(text);
  if (duration !== 0 && duration < MILLISECOND) {
    throw new SyntaxFault(`--${name}=${text} cannot be less than 1ms`);
  }
  return duration;
}

function readRetries(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  const retries = Number(text);
  if (!/^[+-]?\d+$/.test(text) || Math.abs(retries) >= 2 ** 31) {
    throw new SyntaxFault(`--retries must be a whole number, not ${JSON.stringify(text)}`);
  }
  if (retries < 0) throw new SyntaxFault(`--retries cannot be negative (${text})`);
  return retries;
}
