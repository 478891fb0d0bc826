import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { registrySettings } from '../src/registry-settings.ts';
import { tempDirectory } from './helpers/temp-directory.ts';

/** What is said with these files in `registries.conf.d`, or with a file in its place. */
async function settingsWith(dropIns: Readonly<Record<string, string>> | undefined) {
  const config = tempDirectory();
  const directory = join(config, 'containers/registries.conf.d');
  mkdirSync(join(config, 'containers'));
  if (dropIns === undefined) writeFileSync(directory, '');
  else mkdirSync(directory);
  for (const [name, text] of Object.entries(dropIns ?? {}))
    writeFileSync(join(directory, name), text);
  const main = join(config, 'none.conf');
  return registrySettings({ XDG_CONFIG_HOME: config, CONTAINERS_REGISTRIES_CONF: main });
}

describe('drop-in files of registries.conf', () => {
  const entry = (insecure: boolean) =>
    `[[registry]]\nlocation = "drop-in.test"\ninsecure = ${insecure}\n`;

  test.each([
    [{ '1.conf': entry(false), '2.conf': entry(true) }, true],
    [{ '1.conf': entry(true), '2.conf': entry(false) }, false],
    [{ '1.conf': entry(true), '2.txt': entry(false) }, true],
  ])('are read in order: %j', async (dropIns, isInsecure) => {
    const { insecure = [] } = await settingsWith(dropIns);
    expect(insecure.includes('drop-in.test')).toBe(isInsecure);
  });

  test('are none where there is no such directory', async () => {
    await expect(settingsWith(undefined)).resolves.toBeDefined();
  });
});
