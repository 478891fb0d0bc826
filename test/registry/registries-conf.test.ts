import { expect, test } from 'vitest';
import { parseRegistriesConf } from '../../src/registry/registries-conf.ts';

const entry = { mirrors: [] as string[], insecure: false, http: false };

test('registries have mirrors, and both may be insecure', () => {
  const text = `
# A comment with [[registry]] in it
unqualified-search-registries = ["docker.io",
  "quay.io"]
short-name-mode = "enforcing"

[[registry]]
prefix = "docker.io"   # as podman calls Docker Hub
location = "docker.io"
[[registry.mirror]]
location = 'cache.example:5000/hub'
insecure = true
[[registry.mirror]]
location = "harbor.example" # not "this"
[[registry.mirror]]
location = "https://not.a.place"

[[ registry ]]
location="lab.example"
insecure=true

[aliases]
location = "not.a.registry"
`;
  expect({ ...parseRegistriesConf(text) }).toEqual({
    'docker.io': { ...entry, mirrors: ['cache.example:5000/hub', 'harbor.example'] },
    'cache.example:5000': { ...entry, insecure: true },
    'lab.example': { ...entry, insecure: true },
  });
});

test.each([
  ['a part of a registry', '[[registry]]\nprefix = "quay.io/team"\nlocation = "quay.io/team"'],
  ['hosts with a pattern', '[[registry]]\nprefix = "*.example.com"'],
  ['another name for a registry', '[[registry]]\nprefix = "old.example"\nlocation = "new.example"'],
  ['a mirror of nothing', '[[registry.mirror]]\nlocation = "x"\ninsecure = true'],
  ['nothing', ''],
  ['the first version of the format', "[registries.insecure]\nregistries = ['a']"],
  ['something else', '}}}\n[[[\n"='],
])('an entry for %s says nothing', (_what, text) => {
  expect({ ...parseRegistriesConf(text) }).toEqual({});
});

test.each(['mirror-by-digest-only = true', 'pull-from-mirror = "digest-only"'])(
  'a mirror with %s is not asked',
  (line) => {
    const [host, first] = ['[[registry]]\nlocation = "a.example"', '[[registry.mirror]]'];
    const text = `${host}\n${first}\nlocation = "m.example"\n${line}`;
    expect(parseRegistriesConf(text)['a.example']?.mirrors).toEqual([]);
  },
);
