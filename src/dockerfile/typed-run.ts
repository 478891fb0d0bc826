import { commandLine } from './command-line.ts';
import { parseFlags } from './flags.ts';
import type { Run, Written } from './instruction.ts';
import { checkMountSyntax } from './mount.ts';
import { orMeant } from './suggest.ts';
import type { SyntaxNode } from './syntax.ts';
import { SyntaxFault } from './syntax-error.ts';

export function readRun(node: SyntaxNode): Omit<Run, keyof Written> {
  const flags = parseFlags(node.flags, {
    mount: 'strings',
    network: 'string',
    security: 'string',
    device: 'strings',
  });
  for (const mount of flags.mount) checkMountSyntax(mount);
  return {
    kind: 'run',
    command: commandLine(node),
    mounts: flags.mount,
    network: oneOf('network mode', flags.network, ['default', 'none', 'host']),
    security: oneOf('security mode', flags.security, ['sandbox', 'insecure']),
    devices: flags.device,
    heredocs: node.heredocs,
  };
}

/** The first of `known` when nothing was said. */
function oneOf<const T extends string>(
  what: string,
  value: string | undefined,
  known: readonly [T, ...T[]],
): T {
  if (value === undefined) return known[0];
  const found = known.find((word) => word === value);
  if (found !== undefined) return found;
  throw new SyntaxFault(`invalid ${what} ${JSON.stringify(value)}${orMeant(value, known)}`, {
    hint: `it is one of ${known.join(', ')}`,
  });
}
