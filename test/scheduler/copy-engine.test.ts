/** What COPY does, held to what a Docker Engine answered: fixtures/copy, recorded by test/differential/record-copy.mjs. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parseChmod } from '../../src/scheduler/copy-mode.ts';
import { planCopy } from '../../src/scheduler/copy-plan.ts';
import { type CopySource, selectCopy } from '../../src/scheduler/copy-select.ts';
import { DraftTree } from '../../src/tree/draft-tree.ts';
import { EMPTY_TREE, type FileNode, type FileTree } from '../../src/tree/file-tree.ts';
import { resolveOwner } from '../../src/tree/users.ts';
import { describeTree, treeOf } from '../helpers/trees.ts';

interface EngineCase {
  readonly dockerfile: string;
  readonly files: readonly string[];
  readonly fails?: true;
  readonly adds?: readonly string[];
  readonly removes?: readonly string[];
}

const file = path.join(import.meta.dirname, '../../fixtures/copy/engine.json');
const recorded = JSON.parse(fs.readFileSync(file, 'utf8')) as {
  readonly base: readonly string[];
  readonly cases: readonly EngineCase[];
};
const USERS = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App:/home/app:/bin/sh\nnum:x:77:78::/:/bin/sh\n',
  'etc/group': 'root:x:0:\napp:x:1001:\nstaff:x:50:app,num\nwheel:x:10:app\n',
};
const base = treeOf(recorded.base, USERS);

test.each(recorded.cases)('$dockerfile', ({ dockerfile, files, fails, adds, removes }) => {
  const context = treeOf([...files, dockerfileLine(dockerfile)].map(ownedByRoot));
  if (fails) {
    expect(() => build(dockerfile, context)).toThrow();
    return;
  }
  const start = dockerfile.includes('FROM scratch') ? [] : recorded.base;
  const expected = [...start.filter((line) => !removes!.includes(line)), ...adds!];
  expect(describeTree(build(dockerfile, context))).toEqual(expected.sort());
});

function dockerfileLine(dockerfile: string): string {
  const written = /^FROM/.test(dockerfile) ? dockerfile : `FROM record-copy\n${dockerfile}`;
  return `-644 0/0 ${written.replaceAll('FROM base', 'FROM record-copy').length + 1} Dockerfile`;
}

/** As an owner counts in a context. */
function ownedByRoot(line: string): string {
  return line.replace(/ \d+\/\d+ /, ' 0/0 ');
}

/** Just enough of a Dockerfile reader for the cases. */
function build(dockerfile: string, context: FileTree): FileTree {
  const stages = new Map<string, FileTree>();
  let stage: FileTree | undefined = base;
  let workdir = '/';
  const contextWords = [...dockerfile.matchAll(/^COPY (?!.*--from)(?:--\S+ )*(.*) \S+$/gm)].flatMap(
    ([, words = '']) => words.split(' '),
  );
  const lines = dockerfile.split('\n');
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    const [name = '', rest = ''] = [line.split(' ', 1)[0], line.slice(line.indexOf(' ') + 1)];
    if (name === 'FROM') {
      const [from = '', , as] = rest.split(' ');
      stage = from === 'scratch' ? undefined : base;
      if (as !== undefined) stages.set(as, base);
      continue;
    }
    if (name === 'WORKDIR') {
      workdir = rest;
      stage = write(stage, makeWorkdir(stage ?? EMPTY_TREE, rest));
      continue;
    }
    const { flags, words } = parseCopy(rest);
    const destination = words.pop()!;
    const from = flags.get('from')?.[0];
    const tree = from === undefined ? context : stages.get(from)!;
    const sources = words.map((word): CopySource => {
      if (word.startsWith('<<')) return heredoc(word.slice(2), lines);
      const sent = from === undefined ? { contextWords: () => contextWords } : {};
      return { type: 'word', tree, word, unpack: false, ...sent };
    });
    const items = selectCopy({ sources, exclude: flags.get('exclude') ?? [], parents: false });
    const chown = flags.get('chown')?.[0];
    const inputs = planCopy(items, {
      base: stage ?? EMPTY_TREE,
      path: destination,
      workdir,
      createdTime: 0n,
      chmod: parseChmod(flags.get('chmod')?.[0] ?? ''),
      ...(chown ? { owner: resolveOwner(stage, chown) } : {}),
    });
    stage = write(stage, inputs);
  }
  return stage ?? EMPTY_TREE;
}

function parseCopy(text: string): { flags: Map<string, string[]>; words: string[] } {
  const flags = new Map<string, string[]>();
  let rest = text;
  for (let found = /^--(\w+)(?:=(\S*))? /.exec(rest); found !== null; ) {
    flags.set(found[1]!, [...(flags.get(found[1]!) ?? []), found[2] ?? '']);
    rest = rest.slice(found[0].length);
    found = /^--(\w+)(?:=(\S*))? /.exec(rest);
  }
  return { flags, words: rest.startsWith('["') ? JSON.parse(rest) : rest.split(' ') };
}

function heredoc(name: string, lines: string[]): CopySource {
  const bytes = Buffer.from(`${lines.splice(0, lines.indexOf(name)).join('\n')}\n`);
  lines.shift();
  const node: FileNode = {
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: bytes.length,
    mtime: 0n,
    content: { bytes },
  };
  return { type: 'file', name, node, unpack: false };
}

function makeWorkdir(stage: FileTree, where: string) {
  const draft = new DraftTree(stage);
  const isLink = stage.lookup(where.slice(1))?.type === 'symlink';
  if (!isLink) draft.makeDirectory(where.slice(1), { mode: 0o755, uid: 0, gid: 0, mtime: 0n });
  return draft.toEntries();
}

function write(stage: FileTree | undefined, inputs: ReturnType<typeof planCopy>): FileTree {
  const draft = new DraftTree(stage ?? EMPTY_TREE);
  for (const input of inputs) if ('node' in input) draft.put(input.path, input.node);
  return draft;
}
