import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { inlineWorkers, type Workers } from '../../src/host/workers.ts';
import { type CompressRequest, compressLayer } from '../../src/layer/compress.ts';
import { layerTasks } from '../../src/layer/tasks.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const workers = inlineWorkers(layerTasks);

function store(bytes: Buffer): CompressRequest {
  const directory = tempDirectory();
  const tar = join(directory, 'layer.tar');
  writeFileSync(tar, bytes);
  return {
    layer: { tar, size: bytes.length },
    format: 'gzip',
    target: join(directory, 'layer.gz'),
  };
}

/** Text that repeats over long distances, as source code does. */
function text(bytes: number): Buffer {
  const words =
    'the quick brown fox jumps over the lazy dog while layers of tars are squeezed in parallel'.split(
      ' ',
    );
  let seed = 1;
  let out = '';
  while (out.length < bytes) {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    out += `${words[(seed >> 8) % words.length]}${seed % 97 === 0 ? `\n${seed}` : ' '}`;
  }
  return Buffer.from(out.slice(0, bytes));
}

const MIB = 1024 * 1024;
const inputs: readonly (readonly [string, Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['a byte', Buffer.from('x')],
  ['less than a range', text(300_000)],
  ['exactly a range', text(MIB)],
  ['a byte more than a range', text(MIB + 1)],
  ['several ranges', text(3 * MIB + 12345)],
  ['random bytes', randomBytes(2 * MIB + 77)],
  [
    'text and random bytes by turns',
    Buffer.concat([
      text(200_000),
      randomBytes(500_000),
      text(700_000),
      randomBytes(65536),
      text(10),
    ]),
  ],
  ['zeros', Buffer.alloc(4 * MIB)],
];

describe('a compressed layer', () => {
  test.each(inputs)('is what standard readers inflate: %s', async (_, bytes) => {
    const request = store(bytes);
    const result = await compressLayer(request, { workers });
    const blob = readFileSync(request.target);
    expect(result).toEqual({ digest: digestOf(blob), size: blob.length });
    expect(gunzipSync(blob).equals(bytes)).toBe(true);
    execFileSync('gzip', ['-t', request.target]);
    const python = 'import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())';
    expect(
      execFileSync('python3', ['-c', python, request.target], { maxBuffer: 2 ** 26 }).equals(bytes),
    ).toBe(true);
  });

  // A tar is never empty.
  test.each(inputs.slice(1))(
    'is what zstd inflates, where that was asked for: %s',
    async (_, bytes) => {
      const request: CompressRequest = { ...store(bytes), format: 'zstd' };
      const result = await compressLayer(request, { workers });
      const blob = readFileSync(request.target);
      expect(result).toEqual({ digest: digestOf(blob), size: blob.length });
      const options = { input: blob, maxBuffer: 2 ** 26 };
      expect(execFileSync('zstd', ['-dcq'], options).equals(bytes)).toBe(true);
    },
  );

  test('is the same for any number of ranges in work, in whatever order they end', async () => {
    const bytes = Buffer.concat([text(2 * MIB), randomBytes(MIB), text(2 * MIB)]);
    const request = store(bytes);
    const first = await compressLayer(request, { workers, concurrency: 1 });
    let calls = 0;
    const shuffled: Workers = {
      ...workers,
      async run(...args) {
        calls += 1;
        for (let turns = (calls * 7) % 5; turns > 0; turns -= 1) await new Promise(setImmediate);
        return workers.run(...args);
      },
    };
    const again = { ...request, target: `${request.target}.2` };
    expect(await compressLayer(again, { workers: shuffled, concurrency: 5 })).toEqual(first);
  });

  test('tells how far it is', async () => {
    const seen: number[] = [];
    await compressLayer(store(text(2 * MIB + 5)), {
      workers,
      onProgress: (current) => seen.push(current),
    });
    expect(seen).toEqual([MIB, 2 * MIB, 2 * MIB + 5]);
  });
});

describe('compression fails', () => {
  test('when a worker does, after all others have ended', async () => {
    let running = 0;
    const failing: Workers = {
      ...workers,
      async run(task, input, options) {
        running += 1;
        await new Promise(setImmediate);
        running -= 1;
        options?.signal?.throwIfAborted();
        if ((input as { offset: number }).offset === 2 * MIB) throw new Error('broken');
        return workers.run(task, input);
      },
    };
    await expect(compressLayer(store(text(8 * MIB)), { workers: failing })).rejects.toThrow(
      'broken',
    );
    expect(running).toBe(0);
  });

  test('when the tar is shorter than it was', async () => {
    const request = store(text(1000));
    const longer = { ...request, layer: { ...request.layer, size: 2000 } };
    await expect(compressLayer(longer, { workers })).rejects.toMatchObject({ code: 'STORE' });
  });

  test('when the target is there already', async () => {
    const request = store(text(1000));
    writeFileSync(request.target, 'mine');
    await expect(compressLayer(request, { workers })).rejects.toMatchObject({ code: 'STORE' });
    expect(readFileSync(request.target, 'utf8')).toBe('mine');
  });

  test('with the reason of the signal', async () => {
    const request = store(text(1000));
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(compressLayer(request, { workers, signal })).rejects.toThrow('enough');
  });
});
