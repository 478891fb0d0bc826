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
 * `# no-newline: NAME` takes the last newline of a member away. `# later: …` says why a difference is accepted.
 */
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const MEMBER = /^-- (?<name>.+?)(?: -> (?<target>.+?))?(?: (?<mode>0[0-7]+))? --$/;

/** @returns {{ flags: string[], accepted: string | undefined, members: { name: string, target?: string, mode?: number, text: string }[] }} */
export function readCase(file) {
  const members = [];
  const comments = [];
  for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
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
    accepted: comment('accepted')[0],
    members,
  };
}

/** Writes the members below `directory`. */
export function writeCase({ members }, directory) {
  for (const { name, target, mode, text } of members) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    if (target !== undefined) symlinkSync(target, path);
    else if (name.endsWith('/')) mkdirSync(path, { recursive: true });
    else writeFileSync(path, text);
    if (mode !== undefined) chmodSync(path, mode);
  }
}
