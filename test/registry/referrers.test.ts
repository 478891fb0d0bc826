import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { blob, repositoryAt, testRegistry } from '../helpers/registry-client.ts';
import { repositoryOf } from '../helpers/registry-endpoints.ts';
import { putImage } from '../helpers/registry-images.ts';

const SBOM = 'application/spdx+json';

function referrer(digit: string, artifactType: string): Descriptor {
  const digest = `sha256:${digit.repeat(64)}` as Descriptor['digest'];
  return { mediaType: OCI_MANIFEST, digest, size: 10, artifactType };
}

function page(response: ServerResponse, manifests: readonly Descriptor[], next?: string): true {
  response.setHeader('content-type', OCI_INDEX);
  if (next !== undefined) response.setHeader('link', `<${next}>; rel="next"`);
  response.end(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
  return true;
}

test('referrers are listed over all pages, and filtered where the registry has not', async () => {
  const [one, two, three] = [referrer('1', SBOM), referrer('2', 'other'), referrer('3', SBOM)];
  const registry = await testRegistry({
    intercept: (request: IncomingMessage, response: ServerResponse) => {
      const url = new URL(request.url!, 'http://x');
      if (!url.pathname.includes('/referrers/')) return false;
      if (url.searchParams.has('last')) return page(response, [three]);
      return page(response, [one, two], `${url.pathname}?last=2`);
    },
  });
  const repository = repositoryAt(registry);
  const { digest } = referrer('a', SBOM);
  expect(await repository.referrers(digest)).toEqual([one, two, three]);
  expect(await repository.referrers(digest, { artifactType: SBOM })).toEqual([one, three]);
});

test('where the registry knows no referrers, a tag stands for them, and a push keeps it', async () => {
  const registry = await testRegistry();
  const { manifest: subject } = putImage(registry, { tag: '1' });
  const repository = repositoryAt(registry);
  expect(await repository.referrers(subject.digest)).toEqual([]);
  const config = blob(Buffer.from('{}'), OCI_CONFIG);
  repositoryOf(registry.repositories, 'team/app').blobs.set(config.digest, config.bytes);
  const { bytes: _, ...configDescriptor } = config;
  const pushed = await Promise.resolve(
    [SBOM, 'signature'].map((artifactType) => {
      const bytes = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: OCI_MANIFEST,
          artifactType,
          config: configDescriptor,
          layers: [],
          subject,
          annotations: { made: 'here' },
        }),
      );
      return blob(bytes, OCI_MANIFEST);
    }),
  );
  for (const { bytes, ...descriptor } of [...pushed, pushed[0]!])
    await repository.putManifest(descriptor.digest, descriptor, bytes);
  const listed = await repository.referrers(subject.digest);
  expect(listed.map(({ digest, artifactType }) => [digest, artifactType])).toEqual(
    pushed.map(({ digest }, at) => [digest, [SBOM, 'signature'][at]]),
  );
  expect(listed[0]!.annotations).toEqual({ made: 'here' });
  expect(await repository.referrers(subject.digest, { artifactType: SBOM })).toHaveLength(1);
});
