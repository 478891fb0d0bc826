/**
 * One case of the differential test is one text file: flags in comment lines, then members, each begun by a line
 * `-- NAME [MODE] --` or `-- NAME -> TARGET --` (a symbolic link) or `-- NAME/ [MODE] --` (a directory).
 *
 *     # flags: --build-arg A=1
 *     -- Dockerfile --
 *     FROM busybox
 *     COPY run.sh /
 *     -- run.sh 0755 --
 *     echo hello
 *
 * `# no-newline: NAME` takes the last newline of a member away. `# setup: …` is a line of a shell script that runs in the
 * directory of the members, for what a text file cannot hold. `# context: …` and `# stdin: FILE` are the build's context, if
 * it is not that directory, and its standard input. `# accepted: …` says why a difference is accepted. Everywhere
 * `@CONTEXT@` stands for the directory, and `@SERVER@` for a URL by which its files, and git repositories in it, are served.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const MEMBER = /^-- (?<name>.+?)(?: -> (?<target>.+?))?(?: (?<mode>0[0-7]+))? --$/;

/**
 * @typedef {{ name: string, target?: string, mode?: number, text: string }} Member
 * @typedef {{ flags: string[], setup: string, context: string, stdin?: string, accepted?: string, members: Member[] }} Case
 * @param {{ context: string, server: string }} places What the words between @ stand for.
 * @returns {Case}
 */
export function readCase(file, places) {
  const members = [];
  const comments = [];
  const text = readFileSync(file, 'utf8')
    .replaceAll('@CONTEXT@', places.context)
    .replaceAll('@SERVER@', places.server);
  for (const line of text.split('\n').slice(0, -1)) {
    const groups = MEMBER.exec(line)?.groups;
    if (groups) {
      const mode = groups.mode === undefined ? undefined : Number.parseInt(groups.mode, 8);
      members.push({ name: groups.name, target: groups.target, mode, text: '' });
    } else if (members.length === 0) comments.push(line);
    else members.at(-1).text += `${line}\n`;
  }
  const comment = (key) =>
    comments.flatMap((line) =>
      line.startsWith(`# ${key}:`) ? [line.slice(key.length + 3).trim()] : [],
    );
  for (const name of comment('no-newline')) {
    const member = members.find((other) => other.name === name);
    member.text = member.text.replace(/\n$/, '');
  }
  return {
    flags: comment('flags').flatMap((line) => line.split(/ +/)),
    setup: comment('setup').join('\n'),
    context: comment('context')[0] ?? places.context,
    stdin: comment('stdin')[0],
    accepted: comment('accepted')[0],
    members,
  };
}

/** Writes the members below `directory`, and runs the set-up there. */
export function writeCase({ members, setup }, directory) {
  for (const { name, target, mode, text } of members) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    if (target !== undefined) symlinkSync(target, path);
    else if (name.endsWith('/')) mkdirSync(path, { recursive: true });
    else writeFileSync(path, text);
    if (mode !== undefined) chmodSync(path, mode);
  }
  const { status, stderr } = spawnSync('sh', ['-ec', setup], { cwd: directory, encoding: 'utf8' });
  if (status !== 0) throw new Error(`set up ${directory}: ${stderr}`);
}
