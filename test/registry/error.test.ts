import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { parseErrors, printable, redactUrl, refused } from '../../src/registry/error.ts';
import type { HttpRequest } from '../../src/registry/http.ts';

const request: HttpRequest = {
  method: 'GET',
  url: new URL('https://r.example/v2/app/manifests/1'),
};

function answer(status: number, body: string, type = 'application/json') {
  return {
    status,
    url: request.url,
    headers: { 'content-type': type },
    body: Readable.from([Buffer.from(body)]),
  };
}

test.each([
  [401, 'REGISTRY_AUTH', false],
  [403, 'REGISTRY_AUTH', false],
  [404, 'NOT_FOUND', false],
  [418, 'REGISTRY', false],
  [429, 'REGISTRY_RATE_LIMIT', true],
  [500, 'REGISTRY', true],
  [503, 'REGISTRY', true],
])('status %i is %s', async (status, code, retryable) => {
  expect(await refused('r.example', request, answer(status, '{}'))).toMatchObject({
    code,
    retryable,
    status,
    host: 'r.example',
  });
});

test('says what was asked, what was answered, and what to do', async () => {
  const body = JSON.stringify({
    errors: [{ code: 'DENIED', message: 'requested access to the resource is denied' }],
  });
  const error = await refused('r.example', request, answer(403, body));
  expect(error.message).toBe(
    'GET https://r.example/v2/app/manifests/1: 403 Forbidden: DENIED: requested access to the resource is denied',
  );
  expect(error.hint).toContain('tsbuild login r.example');
});

test('what we proved ourselves with is never repeated', async () => {
  const basic = `Basic ${Buffer.from('joe:hunter22').toString('base64')}`;
  const told = `you sent ${basic} that is joe:hunter22 and hunter22`;
  const error = await refused(
    'r',
    { ...request, headers: { authorization: basic } },
    answer(400, told, 'text/plain'),
  );
  expect(error.message).not.toMatch(/hunter22|am9l/);
  expect(error.message).toContain('***');
});

test.each([
  [
    '{"errors":[{"code":"A","message":"b"},{"code":"C"}]}',
    [
      { code: 'A', message: 'b' },
      { code: 'C', message: '' },
    ],
  ],
  [
    '{"details":"incorrect username or password"}',
    [{ code: 'incorrect username or password', message: '' }],
  ],
  [
    '{"error":"invalid_grant","error_description":"expired"}',
    [{ code: 'invalid_grant', message: 'expired' }],
  ],
  ['{"message":"no"}', [{ code: 'no', message: '' }]],
  ['<html><body>502</body></html>', []],
  ['gone fishing', [{ code: 'gone fishing', message: '' }]],
  ['null', []],
  ['{"errors":[null,7,{"code":{}}]}', []],
])('%s is understood', (text, expected) => {
  expect(parseErrors(text, 'application/json')).toEqual(expected);
});

test('an error without end is cut', async () => {
  async function* endless() {
    for (;;) yield Buffer.alloc(64 * 1024, 'x');
  }
  const error = await refused('r', request, { ...answer(500, ''), body: Readable.from(endless()) });
  expect(error.message.length).toBeLessThan(1000);
});

test('a terminal is not at the mercy of a registry', () => {
  expect(printable('a\u001b[31mb\r\nc\u202ed')).toBe('a [31mb c d');
});

test.each([
  ['https://u:p@h/v2/?_state=secret&digest=sha256:1', 'https://h/v2/?digest=sha256:1&…'],
  ['https://h/x?X-Amz-Signature=abc', 'https://h/x?…'],
  ['https://h/x?from=a/b', 'https://h/x?from=a/b'],
  ['http://h:5000/x', 'http://h:5000/x'],
])('%s is shown as %s', (url, expected) => {
  expect(redactUrl(new URL(url))).toBe(expected);
});
