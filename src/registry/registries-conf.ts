/**
 * podman's registries.conf, as far as it says what registries.json can: which registries have mirrors, and which are
 * insecure. It is TOML, of which it uses tables, strings and booleans, a line each; lines of another kind say nothing here,
 * nor do entries for a part of a registry, or for a registry under another name.
 * https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md
 */
import { isHostAndPath } from './endpoint.ts';

export interface RegistryEntry {
  readonly mirrors: readonly string[];
  readonly insecure: boolean;
  readonly http: boolean;
}

type Table = Record<string, string | boolean>;
type RegistryTable = { readonly values: Table; readonly mirrors: Table[] };

const HEADER = /^\[\[?\s*([\w.]+)\s*\]\]?$/;
const PAIR = /^([\w-]+)\s*=\s*(?:"([^"\\]*)"|'([^']*)'|(true|false))$/;

/** What the file says of registries, and of the hosts that are their mirrors. */
export function parseRegistriesConf(text: string): Readonly<Record<string, RegistryEntry>> {
  const entries: Record<string, RegistryEntry> = Object.create(null);
  for (const { values, mirrors } of readTables(text)) {
    const { prefix, location = prefix, insecure = false } = values;
    if (!isPlace(location) || location.includes('/') || (prefix ?? location) !== location) continue;
    const usable = mirrors.filter(forTags).flatMap(({ location: at }) => (isPlace(at) ? at : []));
    entries[location] = { mirrors: usable, insecure: insecure === true, http: false };
    for (const { location: at, insecure: any } of mirrors) {
      const host = isPlace(at) && any === true ? at.split('/')[0] : undefined;
      if (host) entries[host] ??= { mirrors: [], insecure: true, http: false };
    }
  }
  return entries;
}

function readTables(text: string): readonly RegistryTable[] {
  const registries: RegistryTable[] = [];
  let current: Table = {};
  for (const line of text.split('\n')) {
    const bare = line.replace(/^((?:[^"'#]|"[^"]*"|'[^']*')*)#.*$/, '$1').trim();
    const header = HEADER.exec(bare)?.[1];
    const [, name, double, single, flag] = PAIR.exec(bare) ?? [];
    if (header !== undefined) {
      current = {};
      if (header === 'registry') registries.push({ values: current, mirrors: [] });
      if (header === 'registry.mirror') registries.at(-1)?.mirrors.push(current);
    } else if (name !== undefined) current[name] = double ?? single ?? flag === 'true';
  }
  return registries;
}

/** Some mirrors may be asked for digests alone. */
function forTags(mirror: Table): boolean {
  const kind = mirror['pull-from-mirror'] ?? 'all';
  return kind === 'all' && mirror['mirror-by-digest-only'] !== true;
}

function isPlace(value: unknown): value is string {
  return typeof value === 'string' && isHostAndPath(value) && !value.startsWith('*');
}
