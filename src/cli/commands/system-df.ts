import { diskUsage } from '../../index.ts';
import { formatBytes } from '../../progress/format.ts';
import { defineCommand } from '../command.ts';
import { formatTable } from '../table.ts';

export const systemDf = defineCommand({
  name: 'system df',
  synopsis: '[flags]',
  about: 'Shows what the store uses of the disk.',
  flags: {
    format: { type: 'string', choices: ['table', 'json'], help: 'json: one object a line' },
  },
  examples: [{ command: 'tsbuild system df', does: 'Sizes by kind' }],
  args: { min: 0, max: 0 },
  async run({ flags }, { env, stdout }) {
    const rows = await diskUsage({ env });
    if (flags.format === 'json') {
      for (const row of rows) stdout.write(`${JSON.stringify(row)}\n`);
      return;
    }
    stdout.write(
      formatTable(rows, [
        { title: 'TYPE', value: (row) => row.type },
        { title: 'COUNT', value: (row) => String(row.count), align: 'right' },
        { title: 'SIZE', value: (row) => formatBytes(row.size), align: 'right' },
        { title: 'RECLAIMABLE', value: (row) => formatBytes(row.reclaimable), align: 'right' },
      ]),
    );
  },
});
