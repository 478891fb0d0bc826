/** Headers of any kind that a filesystem could give rise to, for property tests. */
import * as fc from 'fast-check';
import { decodeName, encodeName } from '../../src/host/path-bytes.ts';
import type { TarHeader } from '../../src/tar/entry.ts';

/** Names of any bytes, often plain, sometimes long. */
export const anyName: fc.Arbitrary<string> = fc
  .oneof(
    { weight: 4, arbitrary: fc.stringMatching(/^[a-z_-]{1,12}$/) },
    { weight: 1, arbitrary: fc.stringMatching(/^[a-z]{80,255}$/) },
    { weight: 2, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }) },
    {
      weight: 2,
      arbitrary: fc
        .uint8Array({ minLength: 1, maxLength: 20 })
        .map((bytes) => decodeName(Buffer.from(bytes))),
    },
  )
  // Some code units are no name: what does not come back from bytes.
  .map((name) => decodeName(encodeName(name)))
  .filter(
    (name) =>
      !/[/\0]/.test(name) && name !== '.' && name !== '..' && encodeName(name).length <= 255,
  );

export const anyMode = fc.oneof(
  fc.constantFrom(0o644, 0o755, 0o4755, 0o1777),
  fc.integer({ min: 0, max: 0o7777 }),
);
export const anyId = fc.oneof(
  fc.constantFrom(0, 1000, 2097151, 2097152),
  fc.integer({ min: 0, max: 0xffff_fffe }),
);
/** Whole seconds mostly; also before 1970 and beyond what eleven octal digits hold. */
export const anyTime = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 31 }).map((seconds) => BigInt(seconds) * 1_000_000_000n),
  fc.bigInt({ min: 0n, max: 4_000_000_000n * 1_000_000_000n }),
  fc.bigInt({ min: -(2n ** 62n), max: 2n ** 63n - 1n }),
);
export const anyXattrs = fc.option(
  fc
    .array(
      fc.tuple(
        fc.constantFrom(
          'user.a',
          'user.a=b',
          'user.100%',
          'user.%3D',
          'security.capability',
          'trusted.x',
          'user.ключ',
        ),
        fc.uint8Array({ maxLength: 300 }),
      ),
      { minLength: 1, maxLength: 4 },
    )
    .map((pairs): Record<string, Uint8Array> => Object.fromEntries(pairs)),
  { nil: undefined },
);

const attributes = fc.record({ mode: anyMode, uid: anyId, gid: anyId, mtime: anyTime });
const path = fc.array(anyName, { minLength: 1, maxLength: 8 }).map((parts) => parts.join('/'));
const device = fc.record({ major: fc.nat(4095), minor: fc.nat(0o7777777) });
const noSize = fc.constant(0);

export const anyHeader: fc.Arbitrary<TarHeader> = fc
  .tuple(
    attributes,
    anyXattrs,
    fc.oneof(
      fc.record({ type: fc.constant('file' as const), name: path, size: fc.nat(3000) }),
      fc.record({
        type: fc.constant('directory' as const),
        name: path.map((p) => `${p}/`),
        size: noSize,
      }),
      fc.record({
        type: fc.constantFrom('symlink' as const, 'link' as const),
        name: path,
        linkName: path,
        size: noSize,
      }),
      fc.record({
        type: fc.constantFrom('char' as const, 'block' as const),
        name: path,
        device,
        size: noSize,
      }),
      fc.record({ type: fc.constant('fifo' as const), name: path, size: noSize }),
    ),
  )
  .map(([common, xattrs, own]) => ({ ...common, ...own, ...(xattrs && { xattrs }) }));
