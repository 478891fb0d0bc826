/** What is left when a command has ended, however it ended: nothing but a sound store. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { validateImage } from '../../src/image/validate.ts';
import { openStore } from '../../src/store/store.ts';
import type { Cli } from './cli.ts';
import { mountsBelow, processesWith, untilNone } from './processes.ts';

/** Waits until no process and no mount of this copy is left. `marker` is in the arguments of what its containers run. */
export async function untilQuiet(cli: Cli, marker = cli.directory): Promise<void> {
  await untilNone(() => [...processesWith(cli.directory), ...processesWith(marker)]);
  await untilNone(() => mountsBelow(cli.directory));
}

/** What is wrong with the store: images that are not whole, or that skopeo cannot read. None if it is sound. */
export async function storeProblems(home: string): Promise<string[]> {
  const { content, tags } = openStore(home);
  const found = await imageProblems(home);
  return [...found, ...tags().flatMap(({ name }) => skopeoProblem(content, name))];
}

/** What is wrong with images of the store. */
export async function imageProblems(home: string): Promise<string[]> {
  const store = openStore(home);
  const problems: string[] = [];
  for (const { name, descriptor } of store.images()) {
    const found = await validateImage(store, descriptor);
    problems.push(...found.map((problem) => `${name ?? descriptor.digest}: ${problem}`));
  }
  return problems;
}

/** Blobs that are not what their names say, needed or not: a build would take them for what they are called. */
export function damagedBlobs(home: string): string[] {
  const directory = join(home, 'content/blobs/sha256');
  return readdirSync(directory).filter((name) => {
    const hash = createHash('sha256').update(readFileSync(join(directory, name)));
    return hash.digest('hex') !== name;
  });
}

function skopeoProblem(layout: string, name: string): string[] {
  try {
    execFileSync('skopeo', ['inspect', '--raw', `oci:${layout}:${name}`], { stdio: 'pipe' });
    return [];
  } catch (error) {
    return [`skopeo: ${String(error)}`];
  }
}

/** Names in the store's directory for temporary files. */
export function tempNames(home: string): string[] {
  const directory = join(home, 'tmp');
  return existsSync(directory) ? readdirSync(directory) : [];
}
