import { expect, test } from 'vitest';
import { formatAge, formatTable, shortDigest } from '../../src/cli/table.ts';

test('a table is as wide as what is in it', () => {
  const rows = [
    { name: 'a', size: '1 B' },
    { name: 'longer', size: '10 MB' },
  ];
  const table = formatTable(rows, [
    { title: 'NAME', value: (row) => row.name },
    { title: 'SIZE', value: (row) => row.size, align: 'right' },
  ]);
  expect(table).toBe('NAME      SIZE\na          1 B\nlonger   10 MB\n');
});

test.each([
  ['2026-01-01T00:00:00Z', '0 seconds ago'],
  ['2025-12-31T23:59:59Z', '1 second ago'],
  ['2025-12-31T22:00:00Z', '2 hours ago'],
  ['2025-12-01T00:00:00Z', '31 days ago'],
  ['2023-12-01T00:00:00Z', '2 years ago'],
  ['2026-02-01T00:00:00Z', '0 seconds ago'],
  ['nonsense', ''],
  [undefined, ''],
])('%s is %j', (time, age) => {
  expect(formatAge(time, Date.parse('2026-01-01T00:00:00Z'))).toBe(age);
});

test('an id is shown by its first twelve digits', () => {
  expect(shortDigest('sha256:0123456789abcdef')).toBe('0123456789ab');
});
