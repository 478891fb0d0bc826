import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readIndex } from '../../src/layer/index-file.ts';
import type { LayerInput } from '../../src/layer/layer.ts';
import { BUSYBOX_TIME, directoryNode, textNode } from '../helpers/busybox.ts';
import {
  HOST_PROGRAMS,
  type RunOutcome,
  shell,
  type TestBuilder,
  type TestHome,
  testHome,
  USERS,
} from '../helpers/executor.ts';

describe.each(USERS)('the layer of a run by %s', (user) => {
  let home: TestHome;
  let builder: TestBuilder;
  beforeAll(async () => {
    home = await testHome(user);
    builder = home.builder();
  });
  afterAll(() => home?.remove());

  const over = async (inputs: readonly LayerInput[], script: string): Promise<RunOutcome> => {
    return builder.run({ ...shell(script), layers: [home.base, home.layer(inputs)] });
  };
  /** Paths of the layer, `!` before what it deletes, `~` before opaque directories. */
  const paths = ({ layer }: RunOutcome): string[] =>
    layer === undefined
      ? []
      : [...readIndex(layer).entries.values()].map((entry) => {
          if ('whiteout' in entry) return `!${entry.path}`;
          return entry.opaque ? `~${entry.path}` : entry.path;
        });
  const stamp = 'touch -d @1600000000';

  it('is none when nothing changed', async () => {
    const { exitCode, layer } = await builder.run('true');
    expect({ exitCode, layer }).toEqual({ exitCode: 0, layer: undefined });
  });

  it('is none when it was not asked for', async () => {
    const { layer } = await builder.run({ ...shell('touch /x'), commit: undefined });
    expect(layer).toBe(undefined);
  });

  it('is in the store, and the next run sees it', async () => {
    const first = await builder.run('mkdir /d; echo one > /d/file');
    expect(paths(first)).toEqual(['d', 'd/file']);
    expect(home.store.blobSize(first.layer!.diffID)).toBe(first.layer!.size);
    const next = await builder.run({ ...shell('cat /d/file'), layers: [home.base, first.layer!] });
    expect(next.stdout).toBe('one\n');
  });

  it('holds every kind of file with its mode, owner and time', async () => {
    const { tree } = await builder.run(`
      mkdir /d; chmod 1770 /d; chown 3:4 /d
      echo text > /d/file; chmod 6755 /d/file
      ln -s ../target /d/link; chown -h 5:6 /d/link
      mkfifo -m 640 /d/fifo
      ${stamp} /d/file /d/fifo; touch -h -d @1600000000 /d/link; ${stamp} /d
    `);
    const mtime = BUSYBOX_TIME;
    expect(tree.lookup('d')).toMatchObject({
      type: 'directory',
      mode: 0o1770,
      uid: 3,
      gid: 4,
      mtime,
    });
    expect(tree.lookup('d/file')).toMatchObject({ type: 'file', mode: 0o6755, size: 5, mtime });
    expect(tree.lookup('d/link')).toMatchObject({ linkTarget: '../target', uid: 5, gid: 6, mtime });
    expect(tree.lookup('d/fifo')).toMatchObject({ type: 'fifo', mode: 0o640, mtime });
    const { content } = tree.lookup('d/file')!;
    const { file, offset, size } = content as { file: string; offset: number; size: number };
    expect(
      readFileSync(file)
        .subarray(offset, offset + size)
        .toString(),
    ).toBe('text\n');
  });

  it('keeps times to the nanosecond', async () => {
    const script = '/usr/bin/touch -d "2020-01-02 03:04:05.123456789Z" /x';
    const { tree } = await builder.run({ ...shell(script), mounts: HOST_PROGRAMS });
    expect(tree.lookup('x')?.mtime).toBe(1_577_934_245_123_456_789n);
  });

  it('holds hard links as such', async () => {
    const { tree } = await builder.run('mkdir /d; echo x > /d/a; ln /d/a /d/b; ln /d/a /c');
    const inodes = ['d/a', 'd/b', 'c'].map((path) => tree.lookup(path)?.inode);
    expect(new Set(inodes).size).toBe(1);
    expect(inodes[0]).toBeDefined();
  });

  it('links a new name to an old file', async () => {
    const run = await builder.run('ln /etc/passwd /etc/passwd-link');
    expect(paths(run)).toEqual(['etc', 'etc/passwd', 'etc/passwd-link']);
    expect(run.tree.lookup('etc/passwd')?.inode).toBe(run.tree.lookup('etc/passwd-link')?.inode);
  });

  it('leaves out sockets', async () => {
    const script = `mkdir /s; /usr/bin/perl -MSocket -e '
      socket(S, PF_UNIX, SOCK_STREAM, 0) && bind(S, sockaddr_un("/s/sock")) or die $!'; ls /s`;
    const run = await builder.run({ ...shell(script), mounts: HOST_PROGRAMS });
    expect(run).toMatchObject({ exitCode: 0, stdout: 'sock\n', stderr: '' });
    expect(paths(run)).toEqual(['s']);
  });

  it('says what was deleted', async () => {
    const run = await builder.run('rm /etc/group; rm -r /var; touch /new; rm /new');
    expect(paths(run)).toEqual(['etc', '!etc/group', '!var']);
  });

  it('says that a directory was replaced', async () => {
    const inputs = [
      { path: 'd', node: directoryNode },
      { path: 'd/old', node: textNode('old') },
      { path: 'd/sub', node: directoryNode },
    ];
    const run = await over(inputs, 'rm -r /d; mkdir /d; touch /d/new');
    expect(paths(run)).toEqual(['~d', 'd/new']);
    const layers = [home.base, home.layer(inputs), run.layer!];
    const next = await builder.run({ args: ['ls', '/d'], layers });
    expect(next.stdout).toBe('new\n');
  });

  it('says what is gone from a directory that was put back in part', async () => {
    const inputs = [
      { path: 'd', node: directoryNode },
      { path: 'd/kept', node: textNode('kept') },
      { path: 'd/gone', node: textNode('gone') },
    ];
    const run = await over(inputs, 'cp -a /d /e; rm -r /d; mv /e /d; rm /d/gone');
    expect(paths(run)).toEqual(['d', '!d/gone']);
  });

  it('replaces a file by a directory, and a directory by a file', async () => {
    const inputs = [
      { path: 'file', node: textNode('x') },
      { path: 'dir', node: directoryNode },
      { path: 'dir/in', node: textNode('x') },
    ];
    const run = await over(inputs, 'rm -r /file /dir; mkdir /file; touch /file/in; touch /dir');
    expect(paths(run)).toEqual(['dir', 'file', 'file/in']);
  });

  it.each([
    ['written again with the same bytes', `cat /d/a > /x; cat /x > /d/a; rm /x; ${stamp} /d/a`],
    ['copied over itself', 'cp -a /d/a /d/b; mv /d/b /d/a; touch -r /etc /d'],
    ['changed in mode and back', 'chmod 600 /d/a; chmod 644 /d/a'],
    ['given a time and its old one', `touch /d/a; ${stamp} /d/a`],
  ])('leaves out a file that was %s', async (_, script) => {
    const run = await over(
      [
        { path: 'd', node: directoryNode },
        { path: 'd/a', node: textNode('text') },
      ],
      script,
    );
    expect(paths(run)).toEqual([]);
  });

  it.each([
    ['bytes', `echo TEXT > /d/a; ${stamp} /d/a`],
    ['mode', 'chmod 600 /d/a'],
    ['owner', 'chown 1 /d/a'],
    ['group', 'chgrp 1 /d/a'],
    ['time', 'touch /d/a'],
  ])('holds a file whose %s changed, with its directory', async (_, script) => {
    const run = await over(
      [
        { path: 'd', node: directoryNode },
        { path: 'd/a', node: textNode('text\n') },
      ],
      script,
    );
    expect(paths(run)).toEqual(['d', 'd/a']);
  });

  it('keeps capabilities of files, for the next run and in the archive', async () => {
    const mounts = HOST_PROGRAMS;
    const script = 'cp /bin/busybox /tool; /usr/sbin/setcap cap_net_raw+ep /tool';
    const run = await builder.run({ ...shell(script), mounts });
    expect(run).toMatchObject({ exitCode: 0, stderr: '' });
    const value = run.tree.lookup('tool')?.xattrs?.['security.capability'];
    // VFS_CAP_REVISION_2 with the effective bit, CAP_NET_RAW (13) permitted: linux/capability.h
    expect(Buffer.from(value!).toString('hex')).toBe('0100000200200000000000000000000000000000');
    const next = await builder.run({
      ...shell('/usr/sbin/getcap /tool'),
      mounts,
      layers: [home.base, run.layer!],
    });
    expect(next.stdout).toBe('/tool cap_net_raw=ep\n');
  });

  it('clamps times to SOURCE_DATE_EPOCH, and does not take that for a change', async () => {
    const commit = { sourceDateEpoch: 1_700_000_000 };
    const first = await builder.run({ ...shell('mkdir /d; echo a > /d/a'), commit });
    expect(first.tree.lookup('d/a')?.mtime).toBe(1_700_000_000_000_000_000n);
    const again = await builder.run({ ...shell('mkdir /d; echo a > /d/a'), commit });
    expect(again.layer!.diffID).toBe(first.layer!.diffID);
    const layers = [home.base, first.layer!];
    const same = await builder.run({
      ...shell('echo a > /d/a; touch /d/x; rm /d/x'),
      commit,
      layers,
    });
    expect(same.layer).toBe(undefined);
  });

  it('sees directories that a layer does not list as they are below, and leaves them alone', async () => {
    const unlisted = [
      { path: 'd/sub/y', node: textNode('y') },
      { path: 'tmp/x', node: textNode('x') },
    ];
    const listed = [
      {
        path: 'd',
        node: {
          ...directoryNode,
          mode: 0o2750,
          uid: 3,
          gid: 4,
          xattrs: { 'user.a': Buffer.of(0) },
        },
      },
      { path: 'd/sub', node: { ...directoryNode, mode: 0o700 } },
    ];
    const layers = [home.base, home.layer(listed), home.layer(unlisted)];
    const script =
      'stat -c "%n %a %u:%g %Y" d d/sub tmp; touch d/sub/y -r /etc; chmod 644 tmp/x; touch d/new';
    const run = await builder.run({ ...shell(script), layers });
    expect(run.stdout).toBe(
      'd 2750 3:4 1600000000\nd/sub 700 0:0 1600000000\ntmp 1777 0:0 1600000000\n',
    );
    expect(paths(run)).toEqual(['d', 'd/new']);
    expect(run.tree.lookup('d')).toMatchObject({
      mode: 0o2750,
      xattrs: { 'user.a': Uint8Array.of(0) },
    });
  });

  it('stands on one layer twice', async () => {
    const [one, two] = ['1', '2'].map((text) => home.layer([{ path: 'x', node: textNode(text) }]));
    const run = await builder.run({ args: ['cat', '/x'], layers: [home.base, one!, two!, one!] });
    expect(run.stdout).toBe('1');
  });

  it('holds names in any bytes', async () => {
    const run = await builder.run("cd /tmp; touch \"$(printf 'n\\377me')\"; touch 'ünï'");
    expect(paths(run)).toEqual(['tmp', 'tmp/n\udcffme', 'tmp/ünï']);
  });

  it('holds names as long as names can be', async () => {
    const long = 'n'.repeat(255);
    const run = await builder.run(`mkdir -p /${long}/${long}; touch /${long}/${long}/${long}`);
    expect(paths(run)).toEqual([long, `${long}/${long}`, `${long}/${long}/${long}`]);
  });

  it('has the same files for the next run as for one on another machine', async () => {
    const first = await builder.run(
      'mkdir /d /d/sub; echo a > /d/a; ln /d/a /d/b; chown 3:4 /d/a; chmod 2755 /d; mkfifo /d/f; rm /etc/group',
    );
    const script = 'ls -lanR --full-time /d | grep -v " ..$"; ls /etc; cat /d/b';
    const layers = [home.base, first.layer!];
    const here = await builder.run({ ...shell(script), layers });
    const hex = first.layer!.diffID.slice('sha256:'.length);
    for (const name of readdirSync(join(home.home, 'layers'))) {
      if (name.startsWith(hex) && !name.endsWith('.index')) {
        rmSync(join(home.home, 'layers', name), { recursive: true });
      }
    }
    const there = await home.builder().run({ ...shell(script), layers });
    expect(there).toMatchObject({ exitCode: 0, stderr: '', stdout: here.stdout });
  });

  it('stands on 200 others', async () => {
    const layers = Array.from({ length: 200 }, (_, number) =>
      home.layer([{ path: `f${number}`, node: textNode(String(number)) }]),
    );
    const run = await builder.run({
      ...shell('cat /f0 /f199; touch /x'),
      layers: [home.base, ...layers],
    });
    expect(run.stdout).toBe('0199');
    expect(paths(run)).toEqual(['x']);
  });

  if (user !== 'tsbuild-test') {
    it('holds device nodes', async () => {
      const { tree } = await builder.run('mknod /b b 7 300; mknod /c c 1 3');
      expect(tree.lookup('b')).toMatchObject({ type: 'block', device: { major: 7, minor: 300 } });
      expect(tree.lookup('c')).toMatchObject({ type: 'char', device: { major: 1, minor: 3 } });
    });
  }
});
