/** Expected values are those of a Docker Engine for the same files. */
import { describe, expect, test } from 'vitest';
import { resolveOwner, resolveUser } from '../../src/tree/users.ts';
import { filesOf, treeOf } from '../helpers/trees.ts';

const tree = filesOf({
  'etc/passwd': `root:x:0:0:root:/root:/bin/sh
app:x:1000:1001:App:/home/app:/bin/sh
num:x:77:78::/:/bin/sh
# c:x:5:5:::

 99:x:55:55::/h99:
bad:x:zz:3::/:
2000:x:3000:3001::/h2:
`,
  'etc/group': `root:x:0:
app:x:1001:
staff:x:50:app,num
wheel:x:10:app
self:x:78:num
123:x:456:
`,
});

describe('USER', () => {
  test.each([
    ['', 0, 0, [0], '/root'],
    ['root', 0, 0, [0], '/root'],
    ['app', 1000, 1001, [10, 50, 1001], '/home/app'],
    ['app:staff', 1000, 50, [50], '/home/app'],
    ['1000', 1000, 1001, [10, 50, 1001], '/home/app'],
    ['1000:staff', 1000, 50, [50], '/home/app'],
    ['77', 77, 78, [50, 78], '/'],
    ['77:5', 77, 5, [5], '/'],
    ['5', 5, 5, [5], ''],
    ['5:6', 5, 6, [6], ''],
    ['app:', 1000, 1001, [10, 50, 1001], '/home/app'],
    [':5', 0, 5, [5], '/root'],
    [':', 0, 0, [0], '/root'],
    ['2147483647', 2147483647, 0, [0], '/'],
    ['5:2147483648', 5, 2147483648, [2147483648], ''],
    ['99', 99, 0, [0], '/'],
    ['bad', 0, 3, [3], '/root'],
    ['2000', 2000, 0, [0], '/'],
    ['app:123', 1000, 123, [123], '/home/app'],
    ['010', 10, 0, [0], '/'],
  ])('%j', (spec, uid, gid, groups, home) => {
    const user = resolveUser(tree, spec);
    expect({ ...user, additionalGids: user.additionalGids.toSorted((a, b) => a - b) }).toEqual({
      uid,
      gid,
      additionalGids: groups,
      home,
    });
  });

  test.each([
    ['nobody', /no user nobody in \/etc\/passwd/],
    ['app:zz', /no group zz in \/etc\/group/],
    ['1:2:3', /no group 2:3/],
    ['-1', /from 0 to 2147483647/],
    ['2147483648', /from 0 to 2147483647/],
  ])('%j is refused', (spec, message) => {
    expect(() => resolveUser(tree, spec)).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND', message: expect.stringMatching(message) }),
    );
  });
});

describe('--chown', () => {
  test.each([
    ['app', 1000, 1001],
    ['app:staff', 1000, 50],
    ['77', 77, 77],
    ['nobody', 0, 0],
    ['app:zz', 1000, 1001],
    [':5', 0, 5],
    ['5:', 5, 0],
    ['app:', 1000, 0],
    ['1:2:3', 1, 1],
    ['-1', 0, 0],
    ['2147483648', 0, 0],
  ])('%j', (spec, uid, gid) => {
    expect(resolveOwner(tree, spec)).toEqual({ uid, gid });
  });

  test.each([
    ['5:6', 5, 6],
    ['5', 5, 5],
    ['root', 0, 0],
    ['root:root', 0, 0],
    ['root:5', 0, 5],
    ['5:root', 5, 0],
    [':5', 0, 5],
    ['', 0, 0],
  ])('%j in a stage without files, which has numbers and root', (spec, uid, gid) => {
    expect(resolveOwner(undefined, spec)).toEqual({ uid, gid });
  });

  test.each(['app', '5:staff', 'app:5', 'root:app'])('not %j in a stage without files', (spec) => {
    expect(() => resolveOwner(undefined, spec)).toThrow(/no files yet/);
  });
});

test('tables are found through links, and are absent if they are no files', () => {
  const linked = treeOf(
    ['l777 0/0 0 etc/passwd -> ../usr/lib/passwd', '-644 0/0 0 usr/lib/passwd'],
    { 'usr/lib/passwd': 'app:x:7:8::/:' },
  );
  expect(resolveUser(linked, 'app')).toMatchObject({ uid: 7, gid: 8 });
  const odd = treeOf(['d755 0/0 0 etc/passwd', 'l777 0/0 0 etc/group -> group']);
  expect(resolveUser(odd, '5')).toMatchObject({ uid: 5, gid: 0 });
});
