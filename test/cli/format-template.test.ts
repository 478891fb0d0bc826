import { expect, test } from 'vitest';
import { parseTemplate } from '../../src/cli/format-template.ts';

const image = {
  Id: 'sha256:1',
  RepoTags: ['app:1', 'app:2'],
  Size: 12,
  Config: { Env: ['A=1', 'B=2'], Labels: { 'com.example/x': 'y', b: 'c' }, Cmd: null },
};

/** What docker prints of the same. */
test.each([
  ['{{.Id}}', 'sha256:1'],
  ['{{ .Size }} bytes', '12 bytes'],
  ['{{.RepoTags}}', '[app:1 app:2]'],
  ['{{index .RepoTags 0}}', 'app:1'],
  ['{{json .Config.Env}}', '["A=1","B=2"]'],
  ['{{json .}}', JSON.stringify(image)],
  ['{{index .Config.Labels "com.example/x"}}', 'y'],
  ['{{index .Config.Labels `none`}}', '<no value>'],
  ['{{.Config.Labels}}', 'map[b:c com.example/x:y]'],
  ['{{.Nothing.At.All}}', '<no value>'],
  ['{{join .RepoTags ", "}}', 'app:1, app:2'],
  ['{{len .RepoTags}}', '2'],
  ['{{range .Config.Env}}{{println .}}{{end}}', 'A=1\nB=2\n'],
  ['{{range .Config.Cmd}}{{.}}{{else}}none{{end}}', 'none'],
  ['{{if .Config.Cmd}}yes{{else}}no{{end}}!', 'no!'],
  ['{{if .Size}}{{range .RepoTags}}<{{upper .}}>{{end}}{{end}}', '<APP:1><APP:2>'],
  [String.raw`{{.Id}}\t{{.Size}}\n`, 'sha256:1\t12\n'],
  [String.raw`{{join .RepoTags "\n"}}`, 'app:1\napp:2'],
  ['{{println "a\tb"}}', 'a\tb\n'],
  ['a {{- .Size -}} b', 'a12b'],
  ['x{{-1}}y', 'x-1y'],
  ['{{range .RepoTags}}\n  {{- . -}}\n{{end}}', 'app:1app:2'],
  ['plain', 'plain'],
  ['', ''],
])('%s gives %j', (template, expected) => {
  expect(parseTemplate(template)(image)).toBe(expected);
});

test.each([
  '{{with .Id}}x{{end}}',
  '{{.Id | json}}',
  '{{range .RepoTags}}',
  '{{printf "%s" .Id}}',
  '{{}}',
  '{{.Id',
  String.raw`{{println "a\qb"}}`,
])('%s is more than is understood, and said to be', (template) => {
  expect(() => parseTemplate(template)).toThrow(expect.objectContaining({ code: 'USAGE' }));
});

test('a list has no element behind its end', () => {
  expect(() => parseTemplate('{{index .RepoTags 2}}')(image)).toThrow(
    expect.objectContaining({ code: 'USAGE' }),
  );
});
