/** `-o`: where results go, as `docker buildx build` reads it. */
import type { OutputOptions, OutputType } from '../options.ts';
import type { OutputStream } from './command.ts';
import { usage } from './flags.ts';
import { parseFields, splitCommas } from './values.ts';

const TYPES: readonly string[] = ['oci', 'docker', 'local', 'tar', 'image', 'registry'];

/** @throws TsbuildError `USAGE` */
export function parseOutput(text: string, stdout: OutputStream): OutputOptions {
  if (text === '-') return { type: 'tar', dest: archiveTo(stdout, 'tar') };
  const fields = splitCommas(text, 'output');
  if (fields.length === 1 && !fields[0]!.includes('=')) return { type: 'local', dest: fields[0]! };
  const attributes = parseFields(text, 'output');
  const type = attributes.get('type');
  if (type === undefined) {
    throw usage(`flag --output: no type in ${JSON.stringify(text)}`, `one of ${TYPES.join(', ')}`);
  }
  if (!TYPES.includes(type)) {
    throw usage(
      `flag --output: unknown type ${JSON.stringify(type)}`,
      `one of ${TYPES.join(', ')}`,
    );
  }
  const dest = attributes.get('dest');
  attributes.delete('type');
  attributes.delete('dest');
  return withDest(type as OutputType, dest, Object.fromEntries(attributes), stdout);
}

function withDest(
  type: OutputType,
  dest: string | undefined,
  attributes: Record<string, string>,
  stdout: OutputStream,
): OutputOptions {
  const rest = Object.keys(attributes).length > 0 ? { attributes } : {};
  if (type === 'image' || type === 'registry') {
    if (dest !== undefined) throw usage(`flag --output: type=${type} has no dest`);
    return { type, ...rest };
  }
  // What docker loads into its engine is in our store already.
  if (type === 'docker' && dest === undefined) return { type: 'image', ...rest };
  if (type === 'local' && (dest === undefined || dest === '' || dest === '-')) {
    throw usage('flag --output: type=local needs dest=DIRECTORY');
  }
  if (dest === '') throw usage('flag --output: dest is empty');
  if (dest === undefined || dest === '-') return { type, dest: archiveTo(stdout, type), ...rest };
  return { type, dest, ...rest };
}

function archiveTo(stdout: OutputStream, type: string): OutputStream {
  if (stdout.isTTY) {
    throw usage(
      `flag --output: a ${type} archive does not go to a terminal`,
      'redirect stdout, or add dest=FILE',
    );
  }
  return stdout;
}
