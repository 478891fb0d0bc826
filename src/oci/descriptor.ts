/** Descriptors: image-spec descriptor.md. */
import * as v from 'valibot';
import { type Digest, parseDigest } from './digest.ts';
import type { Platform } from './platform.ts';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly urls?: readonly string[];
}

const digestSchema = v.pipe(
  v.string(),
  v.regex(/^sha256:[0-9a-f]{64}$/, 'not a sha256 digest'),
  v.transform((text) => parseDigest(text)),
);

export const platformSchema = v.looseObject({
  os: v.string(),
  architecture: v.string(),
  variant: v.optional(v.string()),
  'os.version': v.optional(v.string()),
});

export const descriptorSchema = v.looseObject({
  mediaType: v.string(),
  digest: digestSchema,
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  platform: v.optional(platformSchema),
  annotations: v.optional(v.record(v.string(), v.string())),
  artifactType: v.optional(v.string()),
  urls: v.optional(v.array(v.string())),
});
