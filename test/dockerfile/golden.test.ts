import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { syntaxToJson } from '../../src/dockerfile/format-json.ts';
import { parseDockerfile, parseSyntax } from '../../src/dockerfile/parse.ts';
import { checkStageReferences, splitStages } from '../../src/dockerfile/stages.ts';
import { isTsbuildError, type TsbuildError } from '../../src/errors.ts';

// Adding a case is adding a folder. The files are compared with what a Docker Engine makes of the same Dockerfile where it
// tells (test/differential); the rest was read line by line.
const VALID = 'fixtures/dockerfile';
const INVALID = 'fixtures/dockerfile-invalid';

const cases = (root: string) => readdirSync(root).sort();

describe('a Dockerfile that can be read', () => {
  it.each(cases(VALID))('%s says what its expected.json says', (name) => {
    const tree = parseSyntax(readFileSync(join(VALID, name, 'Dockerfile')));
    const expected = JSON.parse(readFileSync(join(VALID, name, 'expected.json'), 'utf8'));
    expect(syntaxToJson(tree)).toEqual(expected);
  });
});

describe('a Dockerfile that cannot be built', () => {
  it.each(cases(INVALID))('%s is refused with code, place and hint as in error.txt', (name) => {
    const source = readFileSync(join(INVALID, name, 'Dockerfile'));
    const error = refusal(() =>
      checkStageReferences(splitStages(parseDockerfile(source, { file: 'Dockerfile' })).stages),
    );
    expect(describeError(error)).toBe(readFileSync(join(INVALID, name, 'error.txt'), 'utf8'));
    const { location } = error;
    const lines = source.toString().replace('\ufeff', '').split(/\r?\n/);
    if (location) expect(location.lineText).toBe(lines[location.line - 1]);
  });
});

function refusal(build: () => void): TsbuildError {
  try {
    build();
  } catch (error) {
    if (isTsbuildError(error)) return error as TsbuildError;
    throw error;
  }
  throw new Error('it was not refused');
}

function describeError({ code, location, message, hint }: TsbuildError): string {
  const end = location?.endLine === location?.line ? '' : `-${location?.endLine}`;
  const place = location ? `line ${location.line}${end}` : '';
  return `${code} ${place}\n${message}\n${hint ?? ''}\n`;
}
