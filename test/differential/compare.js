/**
 * What has to be equal: every path of the files, the configuration, the texts of the history, and the line that a refusal
 * names. Times and hard links are not compared.
 */
import { spawnSync } from 'node:child_process';

const LISTING = `
import hashlib, json, sys, tarfile
out = {}
with tarfile.open(sys.argv[1], errors="surrogateescape") as tar:
    for member in tar:
        name = member.name.strip("/")
        if name in ("", "."): continue
        if member.islnk():
            out[name] = out[member.linkname.strip("/")]
            continue
        kind = "file" if member.isreg() else "dir" if member.isdir() else "symlink" if member.issym() else "special"
        content = hashlib.sha256(tar.extractfile(member).read()).hexdigest()[:12] if member.isreg() else member.linkname
        mode = "" if member.issym() else oct(member.mode & 0o7777)
        out[name.encode(errors="surrogateescape").decode("latin1")] = f"{kind} {mode} {member.uid}:{member.gid} {member.size} {content}"
json.dump(out, sys.stdout)
`;

export function compareFiles(theirs, ours) {
  const [a, b] = [listFiles(theirs), listFiles(ours)];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].sort().flatMap((path) => {
    if (a[path] === b[path]) return [];
    return [`/${path}: engine ${a[path] ?? 'has none'}; tsbuild ${b[path] ?? 'has none'}`];
  });
}

function listFiles(tar) {
  const result = spawnSync('python3', ['-c', LISTING, tar], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (result.status !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout);
}

const FIELDS = [
  'Env',
  'Cmd',
  'Entrypoint',
  'WorkingDir',
  'User',
  'Labels',
  'Volumes',
  'ExposedPorts',
  'StopSignal',
  'Healthcheck',
  'Shell',
  'OnBuild',
];

export function compareConfigs(theirs, ours) {
  const config = FIELDS.flatMap((field) =>
    compareField(field, theirs.Config?.[field], ours.Config?.[field]),
  );
  const image = ['Author', 'Architecture', 'Os', 'Variant'].flatMap((field) =>
    compareField(field, theirs[field], ours[field]),
  );
  return [...config, ...image];
}

function compareField(field, theirs, ours) {
  const [a, b] = [canonical(theirs), canonical(ours)];
  return a === b ? [] : [`${field}: engine ${a}; tsbuild ${b}`];
}

/** Absent and empty are the same; members of objects have no order. */
function canonical(value) {
  if (value === undefined || value === null || value === '') return '';
  if (Array.isArray(value)) return value.length === 0 ? '' : JSON.stringify(value);
  if (typeof value !== 'object') return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? '' : JSON.stringify(Object.fromEntries(entries));
}

/**
 * The engine's texts say `# buildkit` where ours say `# tsbuild`; and of a health check they show how Go prints the structure
 * (`&{["CMD" "x"] "3s" "0s" '\\x00'}`), where ours show the command.
 */
export function compareHistory(theirs, ours) {
  const theirTexts = theirs.map(({ CreatedBy }) =>
    CreatedBy.replace(/# buildkit$/, '# tsbuild').replace(
      /^(HEALTHCHECK) &\{(\[.*?\]) .*/s,
      '$1 $2',
    ),
  );
  const [a, b] = [theirTexts, ours.map(({ createdBy }) => createdBy.replaceAll('\t', ' '))];
  if (a.length !== b.length)
    return [`history: engine ${JSON.stringify(a)}; tsbuild ${JSON.stringify(b)}`];
  return a.flatMap((text, index) =>
    text === b[index]
      ? []
      : [`history: engine ${JSON.stringify(text)}; tsbuild ${JSON.stringify(b[index])}`],
  );
}

/** A refusal has a code, and names a line that the engine marks, if it marks any. */
export function compareRefusals(theirs, ours) {
  const marked = [...theirs.matchAll(/^ *(\d+) \| >>> /gm)].map((match) => match[1]);
  const line = /^ {2}--> .*?:(\d+)(?::\d+)?$/m.exec(ours)?.[1];
  const code = /^error: [\s\S]*?\[([A-Z_]+)\]$/m.exec(ours)?.[1];
  const said = (text) => text.trim().split('\n').at(-1);
  return [
    ...(code === undefined ? [`refusal without a code: ${said(ours)}`] : []),
    ...(marked.length === 0 || marked.includes(line)
      ? []
      : [`refusal: engine marks ${marked.join()}; tsbuild ${line ?? 'nothing'}: ${said(theirs)}`]),
  ];
}
