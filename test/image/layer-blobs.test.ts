import { expect, test, vi } from 'vitest';
import { noteLayerBlob, readLayerBlobs } from '../../src/image/layer-blobs.ts';
import { type DiffID, digestOf } from '../../src/oci/digest.ts';
import { openStore } from '../../src/store/store.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

test('a note is written under a name that a sweep knows as that of a dead process', () => {
  const store = openStore(tempDirectory());
  const tempFile = vi.spyOn(store, 'tempFile');
  const diffID = digestOf<DiffID>('tar');
  const blob = { digest: digestOf('blob'), size: 4, compression: 'gzip' } as const;
  noteLayerBlob(store, diffID, blob);
  expect(readLayerBlobs(store, diffID)).toMatchObject([blob]);
  expect(tempFile).toHaveBeenCalledOnce();
});
