import { describe, expect, it } from 'vitest';
import { linkBase } from '../../src/scheduler/link-base.ts';
import { treeOf } from '../helpers/trees.ts';

const base = treeOf([
  'd1777 0/0 0 tmp',
  'd700 5/6 0 home/app',
  '-644 0/0 0 file',
  'l777 0/0 0 link -> /tmp',
]);
const on = (path: string, isFile = false) =>
  linkBase(base, { path, workdir: '/home', isFile, time: 7n });

describe('what COPY --link is put on', () => {
  it.each<[string, string, boolean, string[]]>([
    ['a directory that exists', '/tmp/', false, ['/tmp 1777 0:0']],
    ['a file in it', '/tmp/x', true, ['/tmp 1777 0:0']],
    ['a file in its place', '/tmp', true, []],
    [
      'directories that exist in part',
      '/home/app/a/b',
      false,
      ['/home 755 0:0', '/home/app 700 5:6'],
    ],
    ['a directory below WORKDIR', 'app', false, ['/home 755 0:0', '/home/app 700 5:6']],
    ['a directory below a link', '/link/x/', false, []],
    ['a directory in place of a file', '/file/', false, []],
    ['the root', '/', false, []],
  ])('for %s', (_, path, isFile, expected) => {
    expect(on(path, isFile).directories).toEqual(expected);
  });

  it('has the directories with a time that does not depend on the base, and nothing else', () => {
    const { tree } = on('/home/app');
    expect(tree.lookup('home/app')).toMatchObject({ mode: 0o700, uid: 5, gid: 6, mtime: 7n });
    expect(tree.lookup('tmp')).toBe(undefined);
    expect(tree.lookup('')).toMatchObject({ type: 'directory' });
    expect(tree.list('home')).toEqual([]);
  });
});
