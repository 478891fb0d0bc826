import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ownStore, useStore } from '../../src/store/lease.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { compileScript } from '../helpers/script.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

/** As on a filesystem that has no FIFOs: their places are taken. */
function withoutFifos(): Store {
  const store = openStore(tempDirectory());
  store.prepare();
  for (const role of ['users', 'owner']) writeFileSync(store.path('locks', role), '');
  return store;
}

describe.each([
  ['a store', () => openStore(tempDirectory())],
  ['a store without FIFOs', withoutFifos],
])('%s', (_, newStore) => {
  test('has any number of users, and no owner then', async () => {
    const store = newStore();
    const users = [await useStore(store), await useStore(store)];
    for (const user of users) {
      await expect(ownStore(store)).rejects.toMatchObject({ code: 'CONFLICT', retryable: true });
      await user[Symbol.asyncDispose]();
    }
    await (await ownStore(store))[Symbol.asyncDispose]();
  });

  test('has one owner, for whose end a user waits', async () => {
    const store = newStore();
    const owner = await ownStore(store);
    await expect(ownStore(store)).rejects.toMatchObject({ code: 'CONFLICT' });
    let isUsed = false;
    const using = useStore(store).then((user) => {
      isUsed = true;
      return user;
    });
    await setImmediate();
    expect(isUsed).toBe(false);
    await owner[Symbol.asyncDispose]();
    const user = await using;
    await expect(ownStore(store)).rejects.toMatchObject({ code: 'CONFLICT' });
    await user[Symbol.asyncDispose]();
    await (await ownStore(store))[Symbol.asyncDispose]();
  });

  test('is not waited for any longer once the signal is aborted', async () => {
    const store = newStore();
    await using _owner = await ownStore(store);
    const abort = new AbortController();
    const using = useStore(store, abort.signal);
    abort.abort(new Error('enough'));
    await expect(using).rejects.toThrow('enough');
  });

  test.each(['useStore', 'ownStore'])('is free when who did %s is killed', async (call) => {
    const store = newStore();
    const directory = tempDirectory();
    const source = `
      import { ${call} } from '#src/store/lease.ts';
      import { openStore } from '#src/store/store.ts';
      await ${call}(openStore(process.argv[2]));
      console.log('has it');
      process.stdin.resume();
    `;
    const other = compileScript(directory, source).start(store.home);
    expect(await other.line()).toBe('has it');
    await expect(ownStore(store)).rejects.toMatchObject({ code: 'CONFLICT' });
    await other.kill();
    await (await ownStore(store))[Symbol.asyncDispose]();
    await (await useStore(store))[Symbol.asyncDispose]();
  });

  test('never has users and an owner, whoever comes first', async () => {
    const store = newStore();
    const directory = tempDirectory();
    mkdirSync(store.path('tmp'), { recursive: true });
    // An owner takes everything away, and users look whether something vanishes while they are there.
    const source = `
      import fs from 'node:fs';
      import { ownStore, useStore } from '#src/store/lease.ts';
      import { openStore } from '#src/store/store.ts';
      const [home, role] = process.argv.slice(2);
      const store = openStore(home);
      const file = store.path('tmp/thing-' + process.pid);
      for (let round = 0; round < 100; round += 1) {
        const held = await (role === 'user' ? useStore(store) : ownStore(store).catch(() => undefined));
        if (role === 'user') {
          fs.writeFileSync(file, '');
          await new Promise((resolve) => setImmediate(resolve));
          fs.statSync(file);
        } else if (held) {
          for (const name of fs.readdirSync(store.path('tmp')))
            if (name.startsWith('thing-')) fs.rmSync(store.path('tmp', name), { force: true });
        }
        await held?.[Symbol.asyncDispose]();
      }
    `;
    const script = compileScript(directory, source);
    const processes = ['user', 'user', 'owner', 'owner'].map((role) =>
      script.start(store.home, role),
    );
    await Promise.all(processes.map((each) => each.done()));
  });
});

test('an owner that could make no FIFOs is waited for, also when they could be made meanwhile', async () => {
  const store = withoutFifos();
  const owner = await ownStore(store);
  for (const role of ['users', 'owner']) rmSync(store.path('locks', role));
  const abort = new AbortController();
  const using = useStore(store, abort.signal);
  abort.abort(new Error('enough'));
  await expect(using).rejects.toThrow('enough');
  await owner[Symbol.asyncDispose]();
});
