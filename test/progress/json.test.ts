import { expect, test } from 'vitest';
import { createJson } from '../../src/progress/json.ts';
import { RECORDED } from './recorded.ts';

test('the JSON display writes each event as a line, after one with the version', () => {
  let text = '';
  const display = createJson({ write: (more) => (text += more) }, () => new Date(0));
  for (const [, event] of RECORDED) display.sink(event);
  display.close();
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const time = '1970-01-01T00:00:00.000Z';
  expect(lines[0]).toEqual({ time, type: 'version', version: 1 });
  expect(lines.slice(1)).toEqual(RECORDED.map(([, event]) => ({ time, ...event })));
});
