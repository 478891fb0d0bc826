/** What the checks find, held to what a Docker Engine answered: fixtures/lint, recorded by test/differential/record-lint.mjs. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { judgeInstruction } from '../../../src/checks.ts';
import { lintToJson } from '../../../src/dockerfile/lint/format-json.ts';
import { lint } from '../../../src/dockerfile/lint/lint.ts';
import { platformArgs } from '../../../src/graph/platform-args.ts';
import { parsePlatform } from '../../../src/oci/platform.ts';
import { isReference } from '../../../src/oci/reference.ts';

interface Answer {
  readonly dockerfile: string;
  readonly warnings: readonly object[];
  /** Worded as the engine does; here, its place counts. */
  readonly buildError?: {
    readonly message: string;
    readonly location?: { readonly ranges?: readonly object[] };
  };
}

const recorded: readonly Answer[] = JSON.parse(readFileSync('fixtures/lint/engine.json', 'utf8'));
const amd64 = parsePlatform('linux/amd64');

test.each(recorded)('$dockerfile', async ({ dockerfile, warnings, buildError }) => {
  const result = await lint(dockerfile, {
    platformArgs: platformArgs(amd64, amd64, 'default'),
    isImageName: isReference,
    parsePlatform: (text) => parsePlatform(text),
    judge: judgeInstruction,
  });
  const found = lintToJson(result) as Omit<Answer, 'dockerfile'>;
  expect(found.warnings).toEqual(warnings);
  expect(found.buildError === undefined).toBe(buildError === undefined);
  // The engine has no place for an error that a directive asks for, and two for a circle.
  const [place] = buildError?.location?.ranges ?? [];
  if (place) expect(found.buildError?.location?.ranges?.[0]).toEqual(place);
});
