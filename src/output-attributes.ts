/** What the members of `-o type=…,KEY=VALUE,…` say besides type and destination, with the names that buildx gives them. */
import { TsbuildError } from './errors.ts';
import {
  type Annotation,
  annotationAttributes,
  isAnnotationAttribute,
} from './image/annotations.ts';
import type { LayerFormat } from './image/layer-form.ts';
import { formatReference, parseReference } from './oci/reference.ts';
import type { OutputOptions } from './options.ts';

export interface OutputAttributes extends LayerFormat {
  /** Full references, in place of those of the build. */
  readonly names?: readonly string[];
  readonly push: boolean;
  /** Under no tag. */
  readonly pushByDigest: boolean;
  /** Names in the store have the digest in them. */
  readonly nameCanonical: boolean;
  /** The registry may speak plain http, or have any certificate. */
  readonly insecure: boolean;
  /** As the image is, if absent. */
  readonly mediaTypes?: 'oci' | 'docker';
  readonly annotations: readonly Annotation[];
  /** Times of files are no later than SOURCE_DATE_EPOCH. */
  readonly rewriteTimestamp: boolean;
  /** Of an OCI layout: a tar, or a directory. */
  readonly tar: boolean;
  /** Files of several platforms go into a directory each; of one, only if asked. */
  readonly platformSplit?: boolean;
  /** Members that mean nothing here. */
  readonly unknown: readonly string[];
}

/** They say how a daemon's own store should keep the image, or are the defaults here. */
const WITHOUT_MEANING = ['unpack', 'store', 'dangling-name-prefix', 'prefer-nondist-layers'];

export const COMPRESSIONS = { gzip: 'gzip', zstd: 'zstd', uncompressed: 'none' } as const;
const MAX_LEVELS = { gzip: 9, zstd: 22, none: 0 };

/** @throws TsbuildError `USAGE` for a value that makes no sense */
export function readAttributes({ type, attributes = {} }: OutputOptions): OutputAttributes {
  const rest = new Map(Object.entries(attributes));
  const take = (name: string): string | undefined => {
    const value = rest.get(name);
    rest.delete(name);
    return value;
  };
  const flag = (name: string): boolean | undefined => readFlag(name, take(name));
  for (const name of WITHOUT_MEANING) take(name);
  const names = take('name');
  const ociTypes = flag('oci-mediatypes');
  const platformSplit = flag('platform-split');
  const push = flag('push') ?? type === 'registry';
  const annotations = annotationAttributes(attributes);
  return {
    ...readFormat(take('compression'), take('compression-level'), flag('force-compression')),
    ...(names === undefined ? {} : { names: readNames(names) }),
    ...(ociTypes === undefined ? {} : { mediaTypes: ociTypes ? 'oci' : 'docker' }),
    ...(platformSplit === undefined ? {} : { platformSplit }),
    push,
    pushByDigest: flag('push-by-digest') ?? false,
    nameCanonical: flag('name-canonical') ?? false,
    insecure: flag('registry.insecure') ?? false,
    rewriteTimestamp: flag('rewrite-timestamp') ?? false,
    tar: flag('tar') ?? true,
    annotations,
    unknown: [...rest.keys()].filter((name) => !isAnnotationAttribute(name)),
  };
}

/** @throws TsbuildError `USAGE` */
export function readFormat(
  compression: string | undefined,
  level: string | undefined,
  forceCompression: boolean | undefined,
): LayerFormat {
  if (compression !== undefined && !Object.hasOwn(COMPRESSIONS, compression)) {
    throw new TsbuildError('USAGE', `output: unknown compression ${JSON.stringify(compression)}`, {
      hint: `use one of ${Object.keys(COMPRESSIONS).join(', ')}`,
    });
  }
  const format =
    compression === undefined ? undefined : COMPRESSIONS[compression as keyof typeof COMPRESSIONS];
  const max = MAX_LEVELS[format ?? 'gzip'];
  if (level !== undefined && !(/^\d{1,2}$/.test(level) && Number(level) <= max)) {
    throw new TsbuildError(
      'USAGE',
      `output: compression-level ${JSON.stringify(level)} is not a number from 0 to ${max}`,
    );
  }
  return {
    ...(format === undefined ? {} : { compression: format }),
    ...(level === undefined ? {} : { compressionLevel: Number(level) }),
    ...(forceCompression === undefined ? {} : { forceCompression }),
  };
}

function readNames(text: string): readonly string[] {
  return text.split(',').map((name) => formatReference(parseReference(name.trim())));
}

function readFlag(name: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw new TsbuildError(
    'USAGE',
    `output: ${name}=${JSON.stringify(value)} is neither true nor false`,
  );
}
