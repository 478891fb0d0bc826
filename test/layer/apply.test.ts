import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lgetxattr } from '../../src/host/syscalls.ts';
import { applyLayer } from '../../src/layer/apply.ts';
import { lowerEntries } from '../../src/layer/lower.ts';
import { make, type Packed, packLayer } from './pack.ts';
import { expected, readBack } from './read-back.ts';

let directory: string;
let target: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'apply-'));
  target = join(directory, 'target');
  mkdirSync(target);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function apply(packed: readonly Packed[], rootless = false) {
  const { index } = packLayer(directory, packed);
  const warnings: string[] = [];
  applyLayer(index, target, { rootless, onWarning: (message) => warnings.push(message) });
  return { index, warnings };
}

/** cap_net_raw+ep, as setcap writes it (struct vfs_cap_data, revision 2). */
const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex');

describe('a layer applied to a directory', () => {
  it('has every type, mode, owner, time, attribute and byte of the layer', () => {
    const data = new Map<string, string>([
      ['bin/tool', 'x'.repeat(3_000_000)],
      ['bin/alias', 'x'.repeat(3_000_000)],
    ]);
    const tool = make.file({
      mode: 0o4755,
      uid: 5,
      gid: 6,
      inode: '1',
      xattrs: { 'security.capability': CAPABILITY },
    });
    const { index, warnings } = apply([
      { path: '', node: make.directory({ mode: 0o1777, mtime: -5n }) },
      { path: 'bin', node: make.directory({ mode: 0o2511, uid: 1000, gid: 4_000_000_000 }) },
      { path: 'bin/tool', node: tool, data: data.get('bin/tool')! },
      { path: 'bin/empty', node: make.file({ mode: 0o000, mtime: -1n }) },
      { path: 'bin/link', node: make.symlink('/etc/passwd', { uid: 9 }) },
      {
        path: 'bin/\udcff\udcfe',
        node: make.symlink('\udc80', { xattrs: { 'trusted.x': Buffer.of(0, 1) } }),
      },
      { path: 'dev', node: make.directory() },
      { path: 'dev/null', node: make.device('char', 1, 3, { mode: 0o666 }) },
      { path: 'dev/disk', node: make.device('block', 259, 70_000) },
      { path: 'dev/pipe', node: make.fifo({ uid: 3 }) },
      { path: 'gone', whiteout: true },
      { path: 'fresh', node: make.directory(), opaque: true },
      { path: 'implicit/file', node: make.file(), data: 'hello' },
    ]);
    data.set('implicit/file', 'hello');
    const want = expected(lowerEntries(index), ({ path }) => Buffer.from(data.get(path) ?? ''));
    expect(readBack(target)).toEqual(want);
    expect(warnings).toEqual([]);
  });

  it('keeps hard links, to symlinks and devices too', () => {
    const file = make.file({ inode: 'f' });
    const link = make.symlink('nowhere', { inode: 'l' });
    const device = make.device('char', 5, 5, { inode: 'd' });
    apply([
      { path: 'a', node: file, data: 'one' },
      { path: 'b/c', node: file, data: 'one' },
      { path: 'l1', node: link },
      { path: 'l2', node: link },
      { path: 'd1', node: device },
      { path: 'd2', node: device },
    ]);
    const seen = readBack(target);
    expect([seen['b/c']!.sameAs, seen.l2!.sameAs, seen.d2!.sameAs]).toEqual(['a', 'l1', 'd1']);
    expect([seen.a!.links, seen.l1!.links, seen.d1!.links]).toEqual([2, 2, 2]);
  });

  it('fills a directory that its mode and owner would close', () => {
    apply([
      { path: 'shut', node: make.directory({ mode: 0, uid: 1234 }) },
      { path: 'shut/in', node: make.file(), data: 'x' },
    ]);
    expect(readBack(target).shut).toMatchObject({
      mode: 0,
      owner: '1234:0',
      mtime: make.directory().mtime,
    });
  });

  it('copies contents that are bytes, or lie in another file', () => {
    const other = join(directory, 'other');
    execFileSync('sh', ['-c', `printf abcdef > '${other}'`]);
    const { index } = packLayer(directory, [
      { path: 'bytes', node: make.file({ size: 2, content: { bytes: Buffer.from('hi') } }) },
      { path: 'other', node: make.file({ size: 3, content: { file: other, offset: 2, size: 3 } }) },
    ]);
    applyLayer(index, target, { rootless: false });
    expect(readFileSync(join(target, 'bytes'), 'utf8')).toBe('hi');
    expect(readFileSync(join(target, 'other'), 'utf8')).toBe('cde');
  });

  it('marks deletions for a user namespace: no devices, attributes in user.overlay', () => {
    const { warnings } = apply(
      [
        { path: 'gone', whiteout: true },
        {
          path: 'fresh',
          node: make.directory({ xattrs: { 'trusted.x': Buffer.of(1) } }),
          opaque: true,
        },
        { path: 'null', node: make.device('char', 1, 3) },
        { path: 'disk', node: make.device('block', 1, 3) },
      ],
      true,
    );
    expect(readBack(target)).toMatchObject({
      gone: { device: '0:0' },
      fresh: { xattrs: { 'user.overlay.opaque': '79' } },
    });
    expect(lgetxattr(join(target, 'fresh'), 'trusted.x')).toBeUndefined();
    expect([existsSync(join(target, 'null')), existsSync(join(target, 'disk'))]).toEqual([
      false,
      false,
    ]);
    expect(warnings).toEqual(['device nodes are left out without root, first null']);
  });

  it('warns of an attribute that the filesystem does not take, and goes on', () => {
    const xattrs = { 'user.nobody': Buffer.of(1) };
    const { warnings } = apply([
      { path: 'a', node: make.symlink('x', { xattrs }) },
      { path: 'b', node: make.symlink('x', { xattrs }) },
    ]);
    expect(warnings).toEqual(['the attribute user.nobody cannot be set here, first on a']);
    expect(existsSync(join(target, 'a'))).toBe(false);
    expect(readBack(target).b).toMatchObject({ linkTarget: 'x' });
  });

  it('fails for a layer whose tar ends early, naming the entry', () => {
    const content = { file: join(directory, 'layer.tar'), offset: 4096, size: 10 };
    expect(() => apply([{ path: 'short', node: make.file({ size: 10, content }) }])).toThrowError(
      expect.objectContaining({ code: 'ARCHIVE', message: expect.stringContaining('short') }),
    );
  });

  it('fails for a path that leaves through a symlink, before anything is written', () => {
    const attack: Packed[] = [
      { path: 'out', node: make.symlink(directory) },
      { path: 'out/written', node: make.file(), data: 'x' },
    ];
    expect(() => apply(attack)).toThrowError(expect.objectContaining({ code: 'ARCHIVE' }));
    expect(existsSync(join(directory, 'written'))).toBe(false);
    expect(Object.keys(readBack(target))).toEqual(['']);
  });
});

describe('in a user namespace of one id', () => {
  it('whiteouts and opaque marks can really be made', () => {
    const result = applyInUserNamespace({ uid: 0 });
    expect(result).toMatchObject({
      gone: { device: '0:0' },
      fresh: { xattrs: { 'user.overlay.opaque': '79' } },
    });
  });

  it('an owner that is not mapped is refused by name, and with advice', () => {
    expect(applyInUserNamespace({ uid: 1000 })).toMatchObject({
      code: 'UNSUPPORTED_HOST',
      message: expect.stringContaining('unpack file: no id of this user stands for owner 1000:0'),
      hint: expect.stringContaining('/etc/subuid'),
    });
  });
});

/** Node is not let into a user namespace with its threads running, so a new process it must be. */
function applyInUserNamespace(owner: { uid: number }): unknown {
  const script = join(directory, 'script.mjs');
  buildSync({
    stdin: { contents: USER_NAMESPACE_SCRIPT, resolveDir: import.meta.dirname, loader: 'ts' },
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['koffi'],
  });
  const output = execFileSync(
    'unshare',
    [
      '--user',
      '--map-root-user',
      '--mount',
      process.execPath,
      script,
      directory,
      JSON.stringify(owner),
    ],
    { encoding: 'utf8', env: { NODE_PATH: join(import.meta.dirname, '../../node_modules') } },
  );
  return JSON.parse(output);
}

const USER_NAMESPACE_SCRIPT = `
  import { applyLayer } from '../../src/layer/apply.ts';
  import { make, packLayer } from './pack.ts';
  import { readBack } from './read-back.ts';
  const [directory, owner] = process.argv.slice(2);
  const { index } = packLayer(directory, [
    { path: 'gone', whiteout: true },
    { path: 'fresh', node: make.directory(), opaque: true },
    { path: 'file', node: make.file(JSON.parse(owner)), data: 'x' },
  ]);
  const plain = (_, value) => (typeof value === 'bigint' ? String(value) : value);
  try {
    applyLayer(index, directory + '/target', { rootless: true });
    console.log(JSON.stringify(readBack(directory + '/target'), plain));
  } catch (error) {
    console.log(JSON.stringify({ ...error, message: error.message }, plain));
  }
`;
