/** What becomes of a finished image besides its place in the store: files that are written, registries it is pushed to. */
import type { Environment } from './environment.ts';
import { TsbuildError } from './errors.ts';
import type { Exporter, ExportRequest } from './export/exporter.ts';
import type { Descriptor } from './oci/descriptor.ts';
import { formatReference, parseReference } from './oci/reference.ts';
import type { OperationContext } from './operation.ts';
import type { OutputOptions } from './options.ts';
import { asStep } from './step-events.ts';
import type { Store } from './store/store.ts';

export interface OutputRequest {
  readonly outputs: readonly OutputOptions[];
  /** Full references. */
  readonly names: readonly string[];
  readonly image: Descriptor;
  readonly environment: Environment;
  readonly operation: OperationContext;
}

/** Digests of what was pushed, by name. @throws TsbuildError `OUTPUT`, and what pushing throws */
export async function writeOutputs(request: OutputRequest): Promise<Record<string, string>> {
  const pushed: Record<string, string> = {};
  for (const output of request.outputs) {
    if (isPush(output)) Object.assign(pushed, await pushNames(output, request));
    else if (output.type !== 'image') await exportImage(output, request);
  }
  return pushed;
}

function isPush({ type, attributes }: OutputOptions): boolean {
  return type === 'registry' || (type === 'image' && attributes?.push === 'true');
}

async function pushNames(
  output: OutputOptions,
  request: OutputRequest,
): Promise<Record<string, string>> {
  const { image: descriptor, environment, operation } = request;
  const given = output.attributes?.name
    ?.split(',')
    .map((name) => formatReference(parseReference(name)));
  const names = given ?? request.names;
  if (names.length === 0) {
    throw new TsbuildError('USAGE', 'the image has no name to push it under', {
      hint: 'name it with -t',
    });
  }
  const { pushReference } = await import('./ship.ts');
  const pushed: Record<string, string> = {};
  for (const reference of names) {
    const { digest } = await pushReference(environment, { reference, descriptor, ...operation });
    pushed[reference] = digest;
  }
  return pushed;
}

async function exportImage(output: OutputOptions, request: OutputRequest): Promise<void> {
  const { names, image: descriptor, environment, operation } = request;
  const exporter = await openExporter(output.type, environment.store);
  const destination = destinationOf(output);
  const where = typeof output.dest === 'string' ? output.dest : 'a stream';
  const info = {
    id: `export ${output.type} ${where}`,
    kind: 'export',
    name: `export ${output.type} to ${where}`,
  } as const;
  await asStep(info, operation.emit, (step) =>
    exporter.export({
      images: [{ names, descriptor }],
      destination,
      signal: operation.signal,
      onProgress: (current) =>
        operation.emit({ type: 'step.progress', step, item: 'written', current, unit: 'bytes' }),
    }),
  );
}

async function openExporter(type: OutputOptions['type'], store: Store): Promise<Exporter> {
  switch (type) {
    case 'oci':
      return (await import('./export/archives.ts')).ociExporter(store);
    case 'docker':
      return (await import('./export/archives.ts')).dockerExporter(store);
    case 'local':
      return (await import('./export/local.ts')).localExporter(store);
    case 'tar':
      return (await import('./export/tar.ts')).tarExporter(store);
    default:
      throw new TsbuildError('USAGE', `output type ${type} writes no file`);
  }
}

function destinationOf({ type, dest, attributes }: OutputOptions): ExportRequest['destination'] {
  if (dest === undefined) throw new TsbuildError('USAGE', `output type=${type} needs dest=`);
  if (typeof dest !== 'string') return { stream: dest };
  const isDirectory = type === 'local' || (type === 'oci' && attributes?.tar === 'false');
  return isDirectory ? { directory: dest } : { file: dest };
}
