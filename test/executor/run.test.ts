import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/executor/client.ts';
import type { ExecRequest, Executor } from '../../src/executor/protocol.ts';
import type { Layer } from '../../src/layer/layer.ts';
import { stackTree } from '../../src/layer/stack.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { busyboxLayer } from '../helpers/busybox.ts';
import { bundleEntries, type Entries } from '../helpers/entries.ts';

let entries: Entries;
let home: string;
let store: Store;
let base: Layer;
let executor: Executor;

beforeAll(async () => {
  entries = await bundleEntries({ executor: 'src/executor/main.ts' });
  home = mkdtempSync(join(tmpdir(), 'tsbuild-executor-'));
  store = openStore(home);
  base = busyboxLayer(store);
  executor = createExecutor({ home, entry: entries.file('executor'), onWarning: console.error });
});
afterAll(async () => {
  await executor?.[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
  await entries?.[Symbol.asyncDispose]();
});

function request(script: string, more: Partial<ExecRequest> = {}): ExecRequest {
  return {
    id: 'x', layers: [base], args: ['/bin/sh', '-c', script], env: ['PATH=/bin'], cwd: '/',
    user: { uid: 0, gid: 0, additionalGids: [] }, network: 'none', addHosts: [], readonlyRootfs: false,
    mounts: [], security: 'sandbox', stdio: 'none', commit: {}, ...more,
  };
}

describe('thin', () => {
  it('runs', async () => {
    let out = '';
    for (let i = 0; i < 3; i++) {
    const t = Date.now();
    const result = await executor.run(request('echo hello; id; cat /proc/mounts; ls -la / /dev /etc; echo hi > /hi; ip addr'), { onOutput: (_, b) => { out += Buffer.from(b); } });
    console.log(Date.now() - t, result);
    if (i==0) console.log(out);
    expect([...result.layer ? stackTree([result.layer]).list('') : []]).toEqual(['hi']);
    }
  });
});
