import { type ImageSummary, listImages } from '../../index.ts';
import { formatBytes } from '../../progress/format.ts';
import { defineCommand } from '../command.ts';
import { usage } from '../flags.ts';
import { parseTemplate } from '../format-template.ts';
import { type Column, formatAge, formatTable, shortDigest } from '../table.ts';
import { withoutUndefined } from '../values.ts';

export const images = defineCommand({
  name: 'images',
  synopsis: '[flags] [NAME]',
  about: 'Lists the images of the store, newest first; with NAME, those with that repository.',
  flags: {
    quiet: { type: 'boolean', short: 'q', help: 'Only ids' },
    'no-trunc': { type: 'boolean', help: 'Whole ids' },
    all: { type: 'boolean', short: 'a', help: 'All there are, which is what is listed anyway' },
    digests: { type: 'boolean', help: 'With the digests of the manifests' },
    filter: {
      type: 'list',
      short: 'f',
      value: 'KEY=VALUE',
      help: 'dangling=true (without a name), dangling=false, or reference=NAME',
    },
    format: {
      type: 'string',
      value: 'table|json|TEMPLATE',
      help: 'json: one object a line; {{.Repository}}, .Tag, .ID, .Digest, .Platform, .CreatedAt, .CreatedSince, .Size',
    },
  },
  examples: [
    { command: 'tsbuild images', does: 'All images' },
    { command: 'tsbuild images -q app', does: 'Ids of the images called app' },
  ],
  args: { min: 0, max: 1 },
  async run({ flags, args }, { env, stdout }) {
    const { name, isWanted } = readFilters(flags.filter, args[0]);
    const listed = await listImages(withoutUndefined({ env, name }));
    const rows = listed.filter(isWanted);
    const id = (digest: string) => (flags['no-trunc'] ? digest : shortDigest(digest));
    if (flags.quiet) {
      for (const digest of new Set(rows.map((row) => row.imageId))) stdout.write(`${id(digest)}\n`);
    } else if (flags.format === 'json') {
      for (const row of rows) stdout.write(`${JSON.stringify(row)}\n`);
    } else if (flags.format !== undefined && flags.format !== 'table') {
      const format = parseTemplate(flags.format);
      for (const row of rows) stdout.write(`${format(templateData(row, id))}\n`);
    } else {
      const digest: Column<ImageSummary> = { title: 'DIGEST', value: (row) => row.digest };
      stdout.write(
        formatTable(rows, [
          { title: 'NAME', value: (row) => row.name ?? '<none>' },
          ...(flags.digests ? [digest] : []),
          { title: 'IMAGE ID', value: (row) => id(row.imageId) },
          { title: 'PLATFORM', value: (row) => row.platform },
          { title: 'CREATED', value: (row) => formatAge(row.created) },
          { title: 'SIZE', value: (row) => formatBytes(row.size), align: 'right' },
        ]),
      );
    }
  },
});

/** @throws TsbuildError `USAGE` */
function readFilters(
  filters: readonly string[],
  argument: string | undefined,
): { readonly name: string | undefined; isWanted(row: ImageSummary): boolean } {
  let name = argument;
  let dangling: boolean | undefined;
  for (const filter of filters) {
    const [, key, value = ''] = /^([a-z]+)=(.*)$/.exec(filter) ?? [];
    if (key === 'reference' && name === undefined) name = value;
    else if (key === 'dangling' && /^(true|1|false|0)$/.test(value)) dangling = /^[t1]/.test(value);
    else
      throw usage(`--filter ${JSON.stringify(filter)} is not known`, 'use dangling=true or false');
  }
  const isWanted = (row: ImageSummary) =>
    dangling === undefined || dangling === (row.name === undefined);
  return { name, isWanted };
}

/** With the names that docker gives them. */
function templateData(row: ImageSummary, id: (digest: string) => string) {
  const { repository, tag } = splitName(row.name);
  return {
    ID: id(row.imageId),
    Repository: repository,
    Tag: tag,
    Digest: row.digest,
    Platform: row.platform,
    CreatedAt: row.created ?? '',
    CreatedSince: formatAge(row.created),
    Size: formatBytes(row.size),
  };
}

function splitName(name: string | undefined): { repository: string; tag: string } {
  const [, repository = '<none>', tag = '<none>'] =
    /^([^@]*?)(?::([^:/@]+))?(?:@.*)?$/.exec(name ?? '<none>') ?? [];
  return { repository, tag };
}
