/**
 * Manifests and indexes: image-spec manifest.md and image-index.md, and Docker's schema 2, which has the same shape.
 * Parsing keeps fields it does not know; bytes that came from outside are never written back re-serialized, since
 * that would change their digest.
 */
import * as v from 'valibot';
import { TsbuildError } from '../errors.ts';
import { type Descriptor, descriptorSchema } from './descriptor.ts';
import { isIndexType, isManifestType, OCI_INDEX, OCI_MANIFEST } from './media-types.ts';

export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly subject?: Descriptor;
}

export interface Index {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly subject?: Descriptor;
}

/** The distribution spec asks registries to take manifests of up to 4 MiB; nobody sends larger ones. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const MAX_LAYERS = 1000;
/** As many as there is room for; a list of referrers grows. */
const MAX_MANIFESTS = 20_000;

const shared = {
  schemaVersion: v.literal(2),
  mediaType: v.optional(v.string()),
  annotations: v.optional(v.nullable(v.record(v.string(), v.string()))),
  artifactType: v.optional(v.string()),
  subject: v.optional(descriptorSchema),
};
const manifestSchema = v.looseObject({
  ...shared,
  config: descriptorSchema,
  layers: v.pipe(v.array(descriptorSchema), v.maxLength(MAX_LAYERS)),
});
const indexSchema = v.looseObject({
  ...shared,
  manifests: v.pipe(v.array(descriptorSchema), v.maxLength(MAX_MANIFESTS)),
});

/**
 * Reads a manifest or an index. `mediaType` is what the carrier said (descriptor, Content-Type); the document's own
 * field wins over it, and its shape decides when both are silent, as the image spec lets a document leave it out.
 * @throws TsbuildError `MANIFEST`
 */
export function parseManifestOrIndex(bytes: Uint8Array, mediaType?: string): Manifest | Index {
  if (bytes.byteLength > MAX_MANIFEST_BYTES) throw invalid('it is larger than 4 MiB');
  const json = parseJson(bytes, 'manifest');
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw invalid('it is not a JSON object');
  if ('schemaVersion' in json && json.schemaVersion === 1) {
    throw new TsbuildError(
      'MANIFEST',
      'the image has a manifest of schema version 1, which is obsolete',
      {
        hint: 'push the image again with a current tool',
      },
    );
  }
  const declared =
    'mediaType' in json && typeof json.mediaType === 'string' ? json.mediaType : mediaType;
  // A document that can be read as both kinds is an attack on whoever reads it the other way (CVE-2021-41190).
  if ('manifests' in json && ('layers' in json || 'config' in json))
    throw invalid('it is both a manifest and an index');
  const type = declared ?? ('manifests' in json ? OCI_INDEX : OCI_MANIFEST);
  if (isIndexType(type)) return { ...check(indexSchema, json, 'index'), mediaType: type } as Index;
  if (isManifestType(type))
    return { ...check(manifestSchema, json, 'manifest'), mediaType: type } as Manifest;
  throw new TsbuildError(
    'MANIFEST',
    `unsupported manifest type ${JSON.stringify(type.slice(0, 200))}`,
  );
}

export function isIndex(document: Manifest | Index): document is Index {
  return 'manifests' in document;
}

/** Every descriptor that a document points at, in the order in which they must exist before it. */
export function children(document: Manifest | Index): readonly Descriptor[] {
  return isIndex(document) ? document.manifests : [document.config, ...document.layers];
}

/** @throws TsbuildError `MANIFEST` */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new TsbuildError('MANIFEST', `${what} is not valid JSON`, { cause });
  }
}

/** Checks a document from outside against its schema. @throws TsbuildError `MANIFEST` naming the field. */
export function check<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  what: string,
): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const path = v.getDotPath(issue) ?? '';
  throw new TsbuildError(
    'MANIFEST',
    `${what} is not valid: ${path ? `${path}: ` : ''}${issue.message}`,
  );
}

function invalid(why: string): TsbuildError {
  return new TsbuildError('MANIFEST', `manifest is not valid: ${why}`);
}
