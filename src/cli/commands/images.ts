import { listImages } from '../../index.ts';
import { formatBytes } from '../../progress/format.ts';
import { defineCommand } from '../command.ts';
import { formatAge, formatTable, shortDigest } from '../table.ts';

export const images = defineCommand({
  name: 'images',
  synopsis: '[flags] [NAME]',
  about: 'Lists the images of the store, newest first; with NAME, those with that repository.',
  flags: {
    quiet: { type: 'boolean', short: 'q', help: 'Only ids' },
    'no-trunc': { type: 'boolean', help: 'Whole ids' },
    format: { type: 'string', choices: ['table', 'json'], help: 'json: one object a line' },
  },
  examples: [
    { command: 'tsbuild images', does: 'All images' },
    { command: 'tsbuild images -q app', does: 'Ids of the images called app' },
  ],
  args: { min: 0, max: 1 },
  async run({ flags, args }, { env, stdout }) {
    const rows = await listImages({ env, ...(args[0] === undefined ? {} : { name: args[0] }) });
    const id = (digest: string) => (flags['no-trunc'] ? digest : shortDigest(digest));
    if (flags.quiet) {
      for (const digest of new Set(rows.map((row) => row.imageId))) stdout.write(`${id(digest)}\n`);
    } else if (flags.format === 'json') {
      for (const row of rows) stdout.write(`${JSON.stringify(row)}\n`);
    } else {
      stdout.write(
        formatTable(rows, [
          { title: 'NAME', value: (row) => row.name ?? '<none>' },
          { title: 'IMAGE ID', value: (row) => id(row.imageId) },
          { title: 'PLATFORM', value: (row) => row.platform },
          { title: 'CREATED', value: (row) => formatAge(row.created) },
          { title: 'SIZE', value: (row) => formatBytes(row.size), align: 'right' },
        ]),
      );
    }
  },
});
