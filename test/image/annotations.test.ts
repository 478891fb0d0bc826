import { describe, expect, test } from 'vitest';
import {
  annotationAttributes,
  annotationsFor,
  parseAnnotation,
} from '../../src/image/annotations.ts';
import { parsePlatform } from '../../src/oci/platform.ts';

describe('an annotation', () => {
  test.each([
    ['a=b', [['manifest', undefined, 'a', 'b']]],
    ['org.x.y=1=2:3', [['manifest', undefined, 'org.x.y', '1=2:3']]],
    ['index:a=', [['index', undefined, 'a', '']]],
    ['manifest[linux/arm64]:a=b', [['manifest', 'arm64', 'a', 'b']]],
    [
      'index,manifest-descriptor[linux/amd64]:a=b',
      [
        ['index', undefined, 'a', 'b'],
        ['manifest-descriptor', 'amd64', 'a', 'b'],
      ],
    ],
  ])('%s is read', (text, expected) => {
    const found = parseAnnotation(text).map(({ scope, platform, key, value }) => [
      scope,
      platform?.architecture,
      key,
      value,
    ]);
    expect(found).toEqual(expected);
  });

  test.each(['a', '=b', 'layer:a=b', 'index,:a=b', 'manifest[]:a=b'])('%s is refused', (text) => {
    expect(() => parseAnnotation(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

test('attributes of an output are annotations where they look like some', () => {
  const found = annotationAttributes({
    compression: 'gzip',
    'annotation.a.b': '1',
    'annotation-index.c': '2',
    'annotation-manifest-descriptor[linux/arm/v7].d': '3',
  });
  expect(found.map(({ scope, platform, key, value }) => [scope, platform, key, value])).toEqual([
    ['manifest', undefined, 'a.b', '1'],
    ['index', undefined, 'c', '2'],
    ['manifest-descriptor', parsePlatform('linux/arm/v7'), 'd', '3'],
  ]);
});

test('a platform gets its own and those for all', () => {
  const all = ['a=all', 'manifest[linux/arm64]:b=arm', 'index:c=no'].flatMap(parseAnnotation);
  const of = (platform: string) => annotationsFor(all, 'manifest', parsePlatform(platform));
  expect(of('linux/amd64')).toEqual({ a: 'all' });
  expect(of('linux/arm64/v8')).toEqual({ a: 'all', b: 'arm' });
});
