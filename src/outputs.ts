/**
 * What becomes of a finished image besides its place in the store. Each output is the image, converted to what the output's
 * attributes ask for, and then written to a file, stored under a name or pushed: three steps that know nothing of each other.
 */
import type { Environment } from './environment.ts';
import { TsbuildError } from './errors.ts';
import type { StepInfo } from './events.ts';
import type { Exporter, ExportRequest } from './export/exporter.ts';
import type { Annotation } from './image/annotations.ts';
import { imageIDOf } from './image/find.ts';
import { type LayerFormat, layerFormat } from './image/layer-form.ts';
import type { Descriptor } from './oci/descriptor.ts';
import { isIndexType } from './oci/media-types.ts';
import { formatReference, parseReference } from './oci/reference.ts';
import type { OperationContext } from './operation.ts';
import type { OutputOptions, OutputResult } from './options.ts';
import { type OutputAttributes, readAttributes } from './output-attributes.ts';
import { asStep } from './step-events.ts';
import type { Store } from './store/store.ts';

export interface OutputRequest {
  readonly outputs: readonly OutputOptions[];
  /** Full references. */
  readonly names: readonly string[];
  readonly image: Descriptor;
  readonly environment: Environment;
  readonly operation: OperationContext;
  readonly sourceDateEpoch?: number | undefined;
}

/** One output of a request. */
interface Output extends Omit<OutputRequest, 'outputs'> {
  readonly output: OutputOptions;
  readonly attributes: OutputAttributes;
}

/** In the order of the outputs. @throws TsbuildError `USAGE`, `OUTPUT`, and what converting and pushing throw */
export async function writeOutputs(request: OutputRequest): Promise<readonly OutputResult[]> {
  const { outputs, ...rest } = request;
  // All are read before the first is written: a mistake in the last should cost nothing.
  const read = outputs.map((output): Output => {
    const attributes = readAttributes(output);
    const all = { ...rest, names: attributes.names ?? rest.names, output, attributes };
    checkOutput(all);
    return all;
  });
  const written: OutputResult[] = [];
  for (const output of read) written.push(await writeOutput(output));
  return written;
}

function checkOutput({ output, attributes, names, operation, sourceDateEpoch }: Output): void {
  const { type } = output;
  if (attributes.push && names.length === 0) {
    throw new TsbuildError('USAGE', 'the image has no name to push it under', {
      hint: 'name it with -t',
    });
  }
  if (attributes.rewriteTimestamp && sourceDateEpoch === undefined) {
    throw new TsbuildError('USAGE', `output type=${type}: rewrite-timestamp has no time`, {
      hint: 'set SOURCE_DATE_EPOCH, in the environment or as a build argument',
    });
  }
  for (const name of attributes.unknown) {
    const message = `output type=${type}: ${name} is not known here, and was not heeded`;
    operation.emit({ type: 'warning', message });
  }
}

async function writeOutput(output: Output): Promise<OutputResult> {
  const { environment, names, operation, output: options } = output;
  const { type } = options;
  if (type === 'local' || type === 'tar') {
    await asStep(stepOf(output), operation.emit, (step) => exportImage(output, output.image, step));
    return { type, pushed: {} };
  }
  const descriptor = await asStep(stepOf(output), operation.emit, async (step) => {
    const image = await converted(output, step);
    if (type === 'image') await nameConverted(output, image);
    else if (type !== 'registry') await exportImage(output, image, step);
    return image;
  });
  const imageId = imageIDOf(environment.store, descriptor);
  const pushed = output.attributes.push
    ? await pushNames(output, descriptor)
    : { descriptor, pushed: {} };
  return { type, names, ...(imageId ? { imageId } : {}), ...pushed };
}

function stepOf({ output: { type, dest }, names }: Output): StepInfo {
  const where = typeof dest === 'string' ? dest : dest ? 'a stream' : names.join(', ');
  const name = dest === undefined ? `prepare image ${where}`.trim() : `export ${type} to ${where}`;
  return { id: `export ${type} ${where}`, kind: 'export', name };
}

/** The image as this output wants it. Layers of a push are compressed on the way instead, one while another is sent. */
async function converted(output: Output, step: string): Promise<Descriptor> {
  const { attributes, environment, operation, sourceDateEpoch, output: options } = output;
  const { mediaTypes, annotations, rewriteTimestamp, push } = attributes;
  const format: LayerFormat = options.type === 'oci' ? { compression: 'gzip' } : {};
  const wanted = {
    ...(push ? {} : { ...format, ...layerFormat(attributes) }),
    ...(mediaTypes === undefined ? {} : { mediaTypes: typesFor(output, mediaTypes) }),
    ...(rewriteTimestamp && sourceDateEpoch !== undefined ? { latest: sourceDateEpoch } : {}),
    ...(annotations.length > 0 ? { annotations } : {}),
  };
  const image = options.type === 'docker' ? await ofThisMachine(output) : output.image;
  if (Object.keys(wanted).length === 0) return image;
  const { convertImage } = await import('./image/convert.ts');
  const workers = await environment.workers();
  const { store } = environment;
  return convertImage(image, { ...wanted, ...operation, store, workers, step });
}

/** Docker's media types have no zstd, and no annotations. */
function typesFor({ attributes, operation }: Output, wanted: 'oci' | 'docker'): 'oci' | 'docker' {
  const { compression, annotations } = attributes;
  if (wanted === 'oci' || (compression !== 'zstd' && annotations.length === 0)) return wanted;
  const why = compression === 'zstd' ? 'zstd' : 'annotations';
  operation.emit({
    type: 'warning',
    message: `oci-mediatypes=false: Docker's media types know no ${why}; OCI's are written`,
  });
  return 'oci';
}

/** An archive for docker holds one platform, as what loads it can have only one. */
async function ofThisMachine({ image, environment, operation }: Output): Promise<Descriptor> {
  if (!isIndexType(image.mediaType)) return image;
  const { defaultManifest, listManifests } = await import('./image/select.ts');
  const { formatPlatform } = await import('./oci/platform.ts');
  const chosen = defaultManifest(listManifests(environment.store, image)) ?? image;
  const platform = chosen.platform === undefined ? '' : ` for ${formatPlatform(chosen.platform)}`;
  operation.emit({
    type: 'warning',
    message: `type=docker has room for one platform: the image${platform} was written; type=oci has them all`,
  });
  const { mediaType, digest, size } = chosen;
  return { mediaType, digest, size };
}

/** Only what is another image than the build's, or has other names: the build has stored its own already. */
async function nameConverted(output: Output, descriptor: Descriptor): Promise<void> {
  const { attributes, environment, image, names } = output;
  if (output.output.type !== 'image') return;
  if (descriptor.digest === image.digest && attributes.names === undefined) return;
  for (const name of names) {
    const { tag: _, ...reference } = parseReference(name);
    const canonical = formatReference({ ...reference, digest: descriptor.digest });
    await environment.store.tag(attributes.nameCanonical ? canonical : name, descriptor);
  }
}

async function pushNames(
  { attributes, names, environment, operation }: Output,
  image: Descriptor,
): Promise<{ readonly pushed: Record<string, string>; readonly descriptor: Descriptor }> {
  const { pushReference } = await import('./ship.ts');
  const pushed: Record<string, string> = {};
  let last = image;
  for (const name of names) {
    const { descriptor } = await pushReference(environment, {
      reference: name,
      descriptor: image,
      ...layerFormat(attributes),
      byDigest: attributes.pushByDigest,
      insecure: attributes.insecure,
      ...operation,
    });
    pushed[name] = descriptor.digest;
    last = descriptor;
  }
  return { pushed, descriptor: last };
}

async function exportImage(output: Output, descriptor: Descriptor, step: string): Promise<void> {
  const { names, environment, operation, attributes } = output;
  const { platformSplit } = attributes;
  const exporter = await openExporter(output.output.type, environment.store);
  await exporter.export({
    images: [{ names, descriptor }],
    destination: destinationOf(output),
    ...(platformSplit === undefined ? {} : { platformSplit }),
    signal: operation.signal,
    onProgress: (current) =>
      operation.emit({ type: 'step.progress', step, item: 'written', current, unit: 'bytes' }),
  });
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

function destinationOf({ output, attributes }: Output): ExportRequest['destination'] {
  const { type, dest } = output;
  if (dest === undefined) throw new TsbuildError('USAGE', `output type=${type} needs dest=`);
  if (typeof dest !== 'string') return { stream: dest };
  const isDirectory = type === 'local' || (type === 'oci' && !attributes.tar);
  return isDirectory ? { directory: dest } : { file: dest };
}

/** The image with the annotations of the build, which all its outputs have. @throws TsbuildError `USAGE` */
export async function annotateImage(
  request: Pick<OutputRequest, 'image' | 'environment' | 'operation'>,
  texts: readonly string[],
): Promise<Descriptor> {
  if (texts.length === 0) return request.image;
  const { parseAnnotation } = await import('./image/annotations.ts');
  const annotations: readonly Annotation[] = texts.flatMap(parseAnnotation);
  const { image, environment } = request;
  if (!isIndexType(image.mediaType) && annotations.some(({ scope }) => scope.startsWith('index'))) {
    throw new TsbuildError('USAGE', 'an image of one platform has no index to annotate', {
      hint: 'annotate the manifest: --annotation KEY=VALUE',
    });
  }
  const { convertImage } = await import('./image/convert.ts');
  const workers = await environment.workers();
  return convertImage(image, { annotations, store: environment.store, workers, step: 'annotate' });
}
