import { describe, expect, test } from 'vitest';
import { entryPath } from '../../src/tar/entry-path.ts';

describe('the path of an entry', () => {
  test.each([
    ['a/b', 'a/b'],
    ['./a/b/', 'a/b'],
    ['/a//b', 'a/b'],
    ['a/./b', 'a/b'],
    ['a/x/../b', 'a/b'],
    ['.', ''],
    ['./', ''],
    ['/', ''],
    ['.hidden/..dots/...', '.hidden/..dots/...'],
    ['\udcff', '\udcff'],
    [`${'n'.repeat(255)}/x`, `${'n'.repeat(255)}/x`],
  ])('%j is %j', (name, path) => {
    expect(entryPath(name)).toBe(path);
  });

  test.each([
    ['..', 'it leads out'],
    ['../a', 'it leads out'],
    ['a/../../b', 'it leads out'],
    ['/../etc/passwd', 'it leads out'],
    [`a/${'n'.repeat(256)}`, 'longer than 255 bytes'],
    ['ы'.repeat(128), 'longer than 255 bytes'],
    ['a\0b', 'contains a NUL'],
  ])('%j is refused', (name, why) => {
    expect(() => entryPath(name)).toThrow(
      expect.objectContaining({ code: 'ARCHIVE', message: expect.stringContaining(why) }),
    );
  });

  test('an error about a link names the entry and the target', () => {
    expect(() => entryPath('../../shadow', 'a/link')).toThrow(
      'read archive entry "a/link": its link target "../../shadow" leads out of the archive\'s root',
    );
  });
});
