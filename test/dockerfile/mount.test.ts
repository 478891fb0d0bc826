import { describe, expect, it } from 'vitest';
import { checkMountSyntax, mountFrom, parseMount } from '../../src/dockerfile/mount.ts';
import { expandWord } from '../../src/dockerfile/words.ts';

describe('parseMount', () => {
  it.each([
    ['target=/x', { type: 'bind', target: '/x', readonly: true }],
    ['type=bind,source=a,dst=b,rw', { type: 'bind', source: 'a', target: 'b', readonly: false }],
    [
      'from=s,src=/a,destination=/b,readwrite=false',
      { type: 'bind', from: 's', source: '/a', target: '/b', readonly: true },
    ],
    ['type=bind,target=/x,ro=0', { type: 'bind', target: '/x', readonly: false }],
    [
      'TYPE=Cache,TARGET=/x/./y/',
      { type: 'cache', id: '/x/y', target: '/x/./y/', sharing: 'shared', readonly: false },
    ],
    [
      'type=cache,target=/x,id=i,sharing=LOCKED,ro,mode=0700,uid=1,gid=2,from=f,source=/s',
      {
        type: 'cache',
        id: 'i',
        target: '/x',
        sharing: 'locked',
        readonly: true,
        mode: 0o700,
        uid: 1,
        gid: 2,
        from: 'f',
        source: '/s',
      },
    ],
    ['type=tmpfs,target=/t', { type: 'tmpfs', target: '/t', readonly: false }],
    [
      'type=tmpfs,target=/t,size=1.5k',
      { type: 'tmpfs', target: '/t', readonly: false, size: 1536 },
    ],
    [
      'type=secret,id=k',
      {
        type: 'secret',
        id: 'k',
        target: '/run/secrets/k',
        required: false,
        mode: 0o400,
        uid: 0,
        gid: 0,
      },
    ],
    [
      'type=secret,source=a/k',
      {
        type: 'secret',
        id: 'a/k',
        target: '/run/secrets/k',
        required: false,
        mode: 0o400,
        uid: 0,
        gid: 0,
      },
    ],
    [
      'type=secret,target=/a/k,required,mode=444,uid=7,gid=8',
      { type: 'secret', id: 'k', target: '/a/k', required: true, mode: 0o444, uid: 7, gid: 8 },
    ],
    [
      'type=secret,id=k,env=K',
      { type: 'secret', id: 'k', env: 'K', required: false, mode: 0o400, uid: 0, gid: 0 },
    ],
    [
      'type=secret,id=k,env=K,target=/k',
      {
        type: 'secret',
        id: 'k',
        env: 'K',
        target: '/k',
        required: false,
        mode: 0o400,
        uid: 0,
        gid: 0,
      },
    ],
    ['type=ssh', { type: 'ssh', id: 'default', required: false, mode: 0o600, uid: 0, gid: 0 }],
    [
      'type=ssh,id=a,required=true,target=/s,mode=0666',
      { type: 'ssh', id: 'a', target: '/s', required: true, mode: 0o666, uid: 0, gid: 0 },
    ],
    [
      'type=bind,"target=/a,b","source=c""d"',
      { type: 'bind', source: 'c"d', target: '/a,b', readonly: true },
    ],
  ])('%s', (text, mount) => {
    expect(parseMount(text)).toEqual(mount);
  });

  it('expands values after it has divided them, so that a comma in a variable divides nothing', () => {
    const expand = (word: string) => expandWord(word, { t: '/a,b' }, { escape: '\\' });
    expect(parseMount('target=$t,source="x"'.replaceAll('"', ''), { expand })).toEqual({
      type: 'bind',
      source: 'x',
      target: '/a,b',
      readonly: true,
    });
  });

  it.each([
    ['', 'value is empty'],
    ['target', "invalid field 'target' must be a key=value pair"],
    ['type=bind,,target=/x', "invalid field ''"],
    ['type=bnd', 'unsupported mount type "bnd" (did you mean bind?)'],
    ['targt=/x', "unexpected key 'targt' in 'targt=/x' (did you mean target?)"],
    ['__proto__=x', "unexpected key '__proto__'"],
    ['target=/x,ro=maybe', 'invalid value for ro: maybe'],
    ['target=/x,required', "unexpected key 'required' for mount type 'bind'"],
    ['required,type=secret,id=x', "unexpected key 'required' for mount type 'bind'"],
    ['type=tmpfs,target=/x,size=foo', 'invalid value for size: foo'],
    ['type=cache,target=/x,size=1m', "unexpected key 'size' for mount type 'cache'"],
    [
      'type=cache,target=/x,sharing=lockd',
      'unsupported sharing value "lockd" (did you mean locked?)',
    ],
    ['type=bind,target=/x,sharing=locked', 'invalid cache sharing set for bind mount'],
    ['type=bind,target=/x,mode=0777', 'mode not allowed for "bind" type mounts'],
    ['type=tmpfs,target=/x,uid=1', 'uid not allowed for "tmpfs" type mounts'],
    ['type=cache,target=/x,mode=9', 'invalid value 9 for mode'],
    ['type=cache,target=/x,gid=-1', 'invalid value -1 for gid'],
    ['type=cache,target=/x,uid=4294967296', 'invalid value 4294967296 for uid'],
    ['type=secret', 'invalid secret mount'],
    ['type=secret,id=x,from=y', 'secret mount should not have a from'],
    ['type=secret,id=x,src=y', "both source and id can't be set"],
    ['type=secret,id=x,sharing=shared', 'secret mount should not define sharing'],
    ['type=ssh,src=x', 'ssh does not support source'],
    ['type=bind,tar"get=/x', 'bare "'],
    ['type=bind,"tar"get=/x', 'extraneous or missing "'],
  ])('%j is refused', (text, message) => {
    const location = { file: 'Dockerfile', line: 3 };
    expect(() => parseMount(text, { location })).toThrow(
      expect.objectContaining({
        code: 'DOCKERFILE_PARSE',
        location,
        message: expect.stringContaining(message),
      }),
    );
  });
});

it('finds where a mount takes its files from before anything else is judged', () => {
  expect(mountFrom('type=nonsense,from=a,$x=y,FROM=b')).toBe('b');
  expect(mountFrom('target=/x')).toBeUndefined();
  expect(() => checkMountSyntax('type=$t,from=a$,target=$x')).not.toThrow();
  expect(() => checkMountSyntax('from=$x')).toThrow("'from' doesn't support variable expansion");
});
