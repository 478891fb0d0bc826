/** Images in a registry, without any tool's help: https://github.com/opencontainers/distribution-spec */
import { createHash } from 'node:crypto';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

interface Manifest {
  readonly layers: readonly { readonly size: number }[];
}

/** Puts an image of one gzipped layer there. */
export async function publishImage(
  host: string,
  repository: string,
  tag: string,
  config: object,
  layer: Buffer,
): Promise<void> {
  const configBytes = Buffer.from(JSON.stringify(config));
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: await putBlob(host, repository, configBytes),
      size: configBytes.length,
    },
    layers: [
      {
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        digest: await putBlob(host, repository, layer),
        size: layer.length,
      },
    ],
  };
  await request(`http://${host}/v2/${repository}/manifests/${tag}`, {
    method: 'PUT',
    headers: { 'content-type': MANIFEST },
    body: JSON.stringify(manifest),
  });
}

/** Compressed bytes of all layers of an image. */
export async function layerBytes(host: string, repository: string, tag: string): Promise<number> {
  const response = await request(`http://${host}/v2/${repository}/manifests/${tag}`, {
    headers: { accept: `${MANIFEST}, ${DOCKER_MANIFEST}` },
  });
  const { layers } = (await response.json()) as Manifest;
  return layers.reduce((sum, layer) => sum + layer.size, 0);
}

async function putBlob(host: string, repository: string, bytes: Buffer): Promise<string> {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const opened = await request(`http://${host}/v2/${repository}/blobs/uploads/`, {
    method: 'POST',
  });
  const upload = new URL(opened.headers.get('location')!, `http://${host}`);
  upload.searchParams.set('digest', digest);
  await request(upload.href, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: new Uint8Array(bytes),
  });
  return digest;
}

async function request(url: string, options: RequestInit): Promise<Response> {
  const response = await fetch(url, options);
  if (!response.ok) throw new Error(`${options.method ?? 'GET'} ${url}: ${response.status}`);
  return response;
}
