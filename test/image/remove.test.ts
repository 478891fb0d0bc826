import { expect, test } from 'vitest';
import { removeImage } from '../../src/image/remove.ts';
import { newStore, sampleImage } from '../helpers/images.ts';

const A = 'docker.io/library/app:a';
const B = 'docker.io/library/app:b';

test('a name is taken from an image that keeps its other names', async () => {
  const store = newStore();
  const { descriptor } = await sampleImage(store, { names: ['app:a', 'app:b'] });
  expect(await removeImage(store, 'app:a')).toEqual({ untagged: [A], removed: [] });
  expect(store.images()).toEqual([{ name: B, descriptor }]);
  expect(await removeImage(store, 'app:b')).toEqual({
    untagged: [B],
    removed: [descriptor.digest],
  });
  expect(store.images()).toEqual([]);
});

test('an id removes the image with all its names, and no other', async () => {
  const store = newStore();
  const { descriptor, imageID } = await sampleImage(store, { names: ['app:a', 'app:b'] });
  await sampleImage(store, { names: ['other'], layers: [{ other: '' }] });
  expect(await removeImage(store, imageID.slice(7, 19))).toEqual({
    untagged: [A, B],
    removed: [descriptor.digest],
  });
  expect(store.images()).toHaveLength(1);
});

test('an image without a name is removed by its id', async () => {
  const store = newStore();
  const { descriptor, imageID } = await sampleImage(store);
  await store.keep(descriptor);
  expect(await removeImage(store, imageID)).toEqual({ untagged: [], removed: [descriptor.digest] });
});

test('what is not there cannot be removed', async () => {
  await expect(removeImage(newStore(), 'app')).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
});
