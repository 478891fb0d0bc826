/**
 * Dockerfiles in the manner of well-known images, fixtures/real: each is read, and checked to the warnings that are recorded
 * beside it (`npm run real` builds those for which Debian's packages suffice).
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lint } from '../../src/dockerfile/lint/lint.ts';
import { parseDockerfile } from '../../src/dockerfile/parse.ts';
import { splitStages } from '../../src/dockerfile/stages.ts';
import { platformArgs } from '../../src/graph/platform-args.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { isReference } from '../../src/oci/reference.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/real');
const names = readdirSync(FIXTURES);
const platform = parsePlatform('linux/amd64');

/** `rule:line` of each warning, then the error, if there is one. */
async function check(source: Buffer): Promise<string[]> {
  const { warnings, error } = await lint(source, {
    platformArgs: platformArgs(platform, platform, 'default'),
    parsePlatform: (text) => parsePlatform(text),
    isImageName: isReference,
    resolveImage: async () => ({}),
  });
  const found = warnings.map(({ ruleName, location }) => `${ruleName}:${location.line}`);
  return error === undefined ? found : [...found, `error: ${error.message}`];
}

describe('the Dockerfile of', () => {
  it.each(names)('%s is read, each line of it by one instruction', (name) => {
    const source = readFileSync(join(FIXTURES, name, 'Dockerfile'));
    const dockerfile = parseDockerfile(source);
    expect(splitStages(dockerfile).stages.length).toBeGreaterThan(0);
    const lines = source.toString().split('\n');
    let last = 0;
    for (const { location } of dockerfile.instructions) {
      const between = lines.slice(last, location.line - 1);
      expect(between.filter((line) => line !== '' && !line.startsWith('#'))).toEqual([]);
      last = location.endLine ?? location.line;
    }
    expect(lines.slice(last).filter((line) => line !== '')).toEqual([]);
  });

  it.each(names)('%s has the warnings that are recorded', async (name) => {
    const recorded = join(FIXTURES, name, 'checks.json');
    const expected = existsSync(recorded) ? JSON.parse(readFileSync(recorded, 'utf8')) : [];
    expect(await check(readFileSync(join(FIXTURES, name, 'Dockerfile')))).toEqual(expected);
  });
});

it('there are fifty of them', () => {
  expect(names.length).toBeGreaterThanOrEqual(50);
});
