/** Where `copy` takes images from and brings them to, as people write it: a reference, or `TRANSPORT:PATH[:NAME]`. */
import { TsbuildError } from './errors.ts';

export type CopyPlace =
  | { readonly type: 'registry'; readonly reference: string }
  | { readonly type: 'store'; readonly name: string }
  | {
      readonly type: 'oci' | 'oci-archive' | 'docker-archive';
      readonly path: string;
      /** A tag, a whole name or a digest. */
      readonly name?: string;
    };

const FILES = ['oci', 'oci-archive', 'docker-archive'] as const;
const TRANSPORTS = ['docker', 'store', ...FILES];

/**
 * `docker://REF` and REF are the same; `store:NAME` is an image of the local store. A path with a colon in it cannot be
 * said, as in skopeo. @throws TsbuildError `USAGE`
 */
export function parsePlace(text: string): CopyPlace {
  const [, transport = '', rest = ''] = /^([a-z-]+):(.*)$/s.exec(text) ?? [];
  if (transport === 'docker' && rest.startsWith('//'))
    return { type: 'registry', reference: rest.slice(2) };
  if (transport === 'store' && rest !== '') return { type: 'store', name: rest };
  const type = FILES.find((name) => name === transport);
  if (type === undefined) return { type: 'registry', reference: text };
  const colon = rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const name = colon < 0 ? '' : rest.slice(colon + 1);
  if (path === '') {
    throw new TsbuildError('USAGE', `${JSON.stringify(text)} has no path`, {
      hint: `places are written as REFERENCE or ${TRANSPORTS.join(':…, ')}:…`,
    });
  }
  return { type, path, ...(name === '' ? {} : { name }) };
}

export function formatPlace(place: CopyPlace): string {
  if (place.type === 'registry') return place.reference;
  if (place.type === 'store') return `store:${place.name}`;
  return `${place.type}:${place.path}${place.name ? `:${place.name}` : ''}`;
}
