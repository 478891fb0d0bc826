import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { createTempArea, staleTemp, sweepTemp } from '../../src/store/temp.ts';
import { compileScript } from '../helpers/script.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const MAKE = `
  import { createTempArea } from '#src/store/temp.ts';
  import fs from 'node:fs';
  const directory = createTempArea(process.argv[2]).directory();
  fs.writeFileSync(directory + '/half', 'written');
  console.log(directory);
  process.stdin.resume();
`;

test('temporary directories are private and new', () => {
  const area = createTempArea(tempDirectory());
  const first = area.directory();
  expect(fs.statSync(first).mode & 0o777).toBe(0o700);
  expect(area.directory()).not.toBe(first);
  expect(area.file()).not.toBe(area.file());
});

test('what a living process made stays, and is swept when that process is dead', async () => {
  const directory = tempDirectory();
  const root = path.join(directory, 'tmp');
  fs.mkdirSync(root);
  const owner = compileScript(directory, MAKE).start(root);
  const theirs = await owner.line();
  const area = createTempArea(root);
  const mine = area.directory();
  expect(fs.existsSync(theirs)).toBe(true);
  await owner.kill();
  expect(staleTemp(root)).toEqual([theirs]);
  expect(sweepTemp(root)).toEqual([theirs]);
  expect(fs.readdirSync(root)).toEqual([path.basename(mine)]);
});

test('a process is dead though nobody has asked for its end', async () => {
  const root = tempDirectory();
  const [boot, namespace] = path.basename(createTempArea(root).file()).split('-');
  // The sleep inherits a child that it does not know of.
  const parent = spawn('sh', ['-c', 'sleep 600 & echo $!; exec sleep 600']);
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = line.toString().trim();
    const fields = () => fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
    const nameOf = (of: number) => fs.readFileSync(`/proc/${of}/comm`, 'utf8').trim();
    await vi.waitUntil(() => nameOf(parent.pid!) === 'sleep');
    process.kill(Number(pid), 'SIGKILL');
    await vi.waitUntil(() => fields()[0] === 'Z');
    const abandoned = path.join(root, [boot, namespace, pid, fields()[19], 'abc'].join('-'));
    fs.writeFileSync(abandoned, '');
    expect(sweepTemp(root)).toEqual([abandoned]);
  } finally {
    parent.kill();
    await once(parent, 'exit');
  }
});

test('what was made in another pid namespace, or by nobody known, stays for a week', () => {
  const root = tempDirectory();
  const own = path.basename(createTempArea(root).file()).split('-');
  const foreign = [own[0], '1', '999999999', '1', 'abc'].join('-');
  for (const name of [foreign, 'unknown']) fs.writeFileSync(path.join(root, name), '');
  expect(staleTemp(root)).toEqual([]);
  const longAgo = new Date(Date.now() - 8 * 24 * 3600 * 1000);
  for (const name of [foreign, 'unknown']) fs.utimesSync(path.join(root, name), longAgo, longAgo);
  expect(sweepTemp(root)).toHaveLength(2);
});

test('what was made before the machine was started again is swept', () => {
  const root = tempDirectory();
  fs.writeFileSync(
    path.join(root, ['00000000', '1', String(process.pid), '1', 'abc'].join('-')),
    '',
  );
  createTempArea(root).directory();
  expect(fs.readdirSync(root)).toHaveLength(1);
});
