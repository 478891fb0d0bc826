import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp } from '../src/app.js';

test('greets by name', async (t) => {
  const app = createApp('1');
  await new Promise((resolve) => app.listen(0, '127.0.0.1', resolve));
  t.after(() => app.close());
  const response = await fetch(`http://127.0.0.1:${app.address().port}/Ada`);
  assert.deepEqual(await response.json(), { text: 'Hello, Ada!', version: '1' });
  app.closeAllConnections();
});
