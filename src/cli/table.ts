/** Rows in columns, wide enough for what is in them; numbers to the right. */

export interface Column<R> {
  readonly title: string;
  readonly value: (row: R) => string;
  readonly align?: 'left' | 'right';
}

export function formatTable<R>(rows: readonly R[], columns: readonly Column<R>[]): string {
  const cells = rows.map((row) => columns.map((column) => column.value(row)));
  const widths = columns.map((column, at) =>
    Math.max(column.title.length, ...cells.map((line) => line[at]!.length)),
  );
  const line = (texts: readonly string[]) =>
    texts
      .map((text, at) =>
        columns[at]!.align === 'right' ? text.padStart(widths[at]!) : text.padEnd(widths[at]!),
      )
      .join('   ')
      .trimEnd();
  return `${[columns.map((column) => column.title), ...cells].map(line).join('\n')}\n`;
}

/** `3 hours ago`; empty for what has no time. */
export function formatAge(time: string | undefined, now: number = Date.now()): string {
  const then = time === undefined ? Number.NaN : Date.parse(time);
  if (Number.isNaN(then)) return '';
  let amount = Math.max(0, Math.floor((now - then) / 1000));
  const units: readonly (readonly [string, number])[] = [
    ['second', 60],
    ['minute', 60],
    ['hour', 24],
    ['day', 365],
  ];
  for (const [unit, size] of units) {
    if (amount < size) return `${amount} ${unit}${amount === 1 ? '' : 's'} ago`;
    amount = Math.floor(amount / size);
  }
  return `${amount} year${amount === 1 ? '' : 's'} ago`;
}

/** The twelve digits by which people name an image. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
}
