import { describe, expect, it } from 'vitest';
import { envMap, parseImageConfig } from '../../src/oci/config.ts';
import {
  type ChainID,
  type DiffID,
  digestOf,
  isDigest,
  parseDigest,
} from '../../src/oci/digest.ts';
import { chainID } from '../../src/oci/identity.ts';
import {
  children,
  isIndex,
  MAX_MANIFEST_BYTES,
  parseManifestOrIndex,
} from '../../src/oci/manifest.ts';
import {
  DOCKER_MANIFEST,
  layerCompression,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
} from '../../src/oci/media-types.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const bytes = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 2 };
const layer = { mediaType: OCI_LAYER, digest, size: 5 };
const manifest = { schemaVersion: 2, config, layers: [layer] };
const index = { schemaVersion: 2, manifests: [{ mediaType: OCI_MANIFEST, digest, size: 3 }] };

describe('parseManifestOrIndex', () => {
  it('reads a manifest and names what has to exist before it', () => {
    const document = parseManifestOrIndex(bytes(manifest), OCI_MANIFEST);
    expect(isIndex(document)).toBe(false);
    expect(children(document).map((child) => child.size)).toEqual([2, 5]);
  });

  it('tells the kinds apart by their shape where nobody says', () => {
    expect(parseManifestOrIndex(bytes(index)).mediaType).toBe(OCI_INDEX);
    expect(parseManifestOrIndex(bytes(manifest)).mediaType).toBe(OCI_MANIFEST);
  });

  it('takes an index with as many entries as fit', () => {
    const manifests = Array(15_000).fill(index.manifests[0]);
    expect(children(parseManifestOrIndex(bytes({ ...index, manifests })))).toHaveLength(15_000);
  });

  it("takes the document's own word before that of its carrier", () => {
    const document = parseManifestOrIndex(
      bytes({ ...manifest, mediaType: DOCKER_MANIFEST }),
      OCI_MANIFEST,
    );
    expect(document.mediaType).toBe(DOCKER_MANIFEST);
  });

  it.each([
    ['something that is no JSON', '{'],
    ['something that is no object', '[]'],
    ['bytes that are no text', '\ud800'],
    ['both a manifest and an index', { ...manifest, ...index }],
    ['schema version 1', { schemaVersion: 1, fsLayers: [] }],
    ['another version', { ...manifest, schemaVersion: 3 }],
    ['no layers', { schemaVersion: 2, config }],
    ['a size below zero', { ...manifest, layers: [{ ...layer, size: -1 }] }],
    [
      'a size beyond what a number can hold',
      { ...manifest, layers: [{ ...layer, size: 2 ** 60 }] },
    ],
    ['a digest of another kind', { ...manifest, layers: [{ ...layer, digest: 'md5:1' }] }],
    ['more layers than anybody has', { ...manifest, layers: Array(1001).fill(layer) }],
    ['a type that is none', { ...manifest, mediaType: 'text/plain' }],
  ])('refuses %s', (_, value) => {
    expect(() => parseManifestOrIndex(bytes(value))).toThrow(
      expect.objectContaining({ code: 'MANIFEST' }),
    );
  });

  it('refuses a document that is too large to be one, unread', () => {
    expect(() => parseManifestOrIndex(Buffer.alloc(MAX_MANIFEST_BYTES + 1))).toThrow('4 MiB');
  });
});

describe('parseImageConfig', () => {
  const minimal = {
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [digest] },
  };

  it('takes null for absent, and keeps what it does not know', () => {
    const read = parseImageConfig(
      bytes({ ...minimal, config: { Cmd: null, Env: ['A=1'], X: 1 }, history: null }),
    );
    expect(read.config).toEqual({ Env: ['A=1'], X: 1 });
    expect(read.history).toBeUndefined();
  });

  it('keeps labels and volumes of any name', () => {
    const text = `{"Volumes":{"prototype":{}},"Labels":{"__proto__":"a","constructor":"b"}}`;
    const config = JSON.parse(text) as unknown;
    expect(JSON.stringify(parseImageConfig(bytes({ ...minimal, config })).config)).toBe(text);
  });

  it('takes an image without layers', () => {
    expect(
      parseImageConfig(bytes({ ...minimal, rootfs: { type: 'layers', diff_ids: null } })).rootfs
        .diff_ids,
    ).toEqual([]);
  });

  it.each([
    ['no rootfs', { os: 'linux', architecture: 'amd64' }],
    ['a diffID that is none', { ...minimal, rootfs: { type: 'layers', diff_ids: ['x'] } }],
    ['Env that is no list', { ...minimal, config: { Env: 'A=1' } }],
    ['Labels that are a list', { ...minimal, config: { Labels: ['a'] } }],
    ['a label that is a number', { ...minimal, config: { Labels: { a: 1 } } }],
    ['a volume that is a word', { ...minimal, config: { Volumes: { '/v': 'x' } } }],
  ])('refuses %s', (_, value) => {
    expect(() => parseImageConfig(bytes(value))).toThrow(
      expect.objectContaining({ code: 'MANIFEST' }),
    );
  });

  it('reads an environment in which the later value wins', () => {
    expect([...envMap(['A=1', 'B', 'A=2=3'])]).toEqual([
      ['A', '2=3'],
      ['B', ''],
    ]);
  });
});

describe('identities', () => {
  it('of a stack are those of image-spec', () => {
    const [a, b] = [digestOf<DiffID>('a'), digestOf<DiffID>('b')];
    expect(chainID([])).toBeUndefined();
    expect(chainID([a])).toBe(a as string as ChainID);
    expect(chainID([a, b])).toBe(digestOf(`${a} ${b}`));
  });

  it.each(['', 'sha256:', `sha256:${'A'.repeat(64)}`, `sha512:${'a'.repeat(128)}`, `${digest} `])(
    '%j is no digest',
    (text) => {
      expect(isDigest(text)).toBe(false);
      expect(() => parseDigest(text)).toThrow(expect.objectContaining({ code: 'MANIFEST' }));
    },
  );
});

describe('layerCompression', () => {
  it.each([
    ['application/vnd.oci.image.layer.v1.tar', 'none'],
    ['application/vnd.oci.image.layer.v1.tar+gzip', 'gzip'],
    ['application/vnd.oci.image.layer.v1.tar+zstd', 'zstd'],
    ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', 'gzip'],
    ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'gzip'],
    ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', 'gzip'],
    ['text/plain', undefined],
  ])('%s', (mediaType, expected) => {
    expect(layerCompression(mediaType)).toBe(expected);
  });
});
