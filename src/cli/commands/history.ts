import { type HistoryRow, imageHistory } from '../../index.ts';
import { formatBytes } from '../../progress/format.ts';
import { defineCommand } from '../command.ts';
import { parseTemplate } from '../format-template.ts';
import { formatAge, formatTable } from '../table.ts';

export const history = defineCommand({
  name: 'history',
  synopsis: '[flags] IMAGE',
  about: 'Lists the steps that made an image, newest first, with the size of what each added.',
  flags: {
    'no-trunc': { type: 'boolean', help: 'Whole commands' },
    format: {
      type: 'string',
      value: 'table|json|TEMPLATE',
      help: 'json: one object a line; {{.CreatedBy}}, .CreatedAt, .CreatedSince, .Size, .Comment',
    },
  },
  examples: [{ command: 'tsbuild history app', does: 'Where its size comes from' }],
  args: { min: 1, max: 1 },
  async run({ flags, args }, { env, stdout }) {
    const rows = await imageHistory({ image: args[0]!, env });
    if (flags.format === 'json') {
      for (const row of rows) stdout.write(`${JSON.stringify(row)}\n`);
      return;
    }
    if (flags.format !== undefined && flags.format !== 'table') {
      const format = parseTemplate(flags.format);
      for (const row of rows) stdout.write(`${format(templateData(row))}\n`);
      return;
    }
    const cut = (text: string) =>
      flags['no-trunc'] || text.length <= 70 ? text : `${text.slice(0, 69)}…`;
    stdout.write(
      formatTable(rows, [
        { title: 'CREATED', value: (row) => formatAge(row.created) },
        { title: 'CREATED BY', value: (row) => cut(row.createdBy.replace(/\s+/g, ' ').trim()) },
        { title: 'SIZE', value: (row) => formatBytes(row.size), align: 'right' },
        { title: 'COMMENT', value: (row) => row.comment ?? '' },
      ]),
    );
  },
});

/** With the names that docker gives them. */
function templateData({ created, createdBy, size, comment }: HistoryRow) {
  return {
    CreatedBy: createdBy,
    CreatedAt: created ?? '',
    CreatedSince: formatAge(created),
    Size: formatBytes(size),
    Comment: comment ?? '',
  };
}
