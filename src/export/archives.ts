/** `type=oci` and `type=docker`: archives of images, and the OCI layout as a directory. */
import { TsbuildError } from '../errors.ts';
import { openOutput } from '../host/output.ts';
import { saveImages } from '../image/save.ts';
import type { Store } from '../store/store.ts';
import type { Exporter, ExportRequest } from './exporter.ts';
import { writeLayout } from './layout-directory.ts';

/** An OCI image layout, in a tar or as a directory. */
export function ociExporter(store: Store): Exporter {
  return {
    type: 'oci',
    export: (request) =>
      'directory' in request.destination
        ? writeLayout(store, request.images, request.destination.directory, request.signal)
        : writeArchive(store, 'oci', request),
  };
}

/** What `docker load` reads; also an OCI layout, see image/save.ts. */
export function dockerExporter(store: Store): Exporter {
  return { type: 'docker', export: (request) => writeArchive(store, 'docker', request) };
}

async function writeArchive(
  store: Store,
  format: 'oci' | 'docker',
  request: ExportRequest,
): Promise<void> {
  const { images, destination } = request;
  if ('directory' in destination) {
    throw new TsbuildError(
      'OUTPUT',
      `write ${destination.directory}: type=${format} is an archive, not a directory`,
      {
        hint: 'name a file, or use type=oci',
      },
    );
  }
  await using output = openOutput(destination, request);
  await saveImages(store, images, format, output);
}
