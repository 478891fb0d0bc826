/** What `--build-context` says that a name stands for: a place with files, or another image. */
import { contextName, LAYOUT_SCHEME } from '../oci/reference.ts';

export interface NamedImage {
  /** An image of a layout on this host can be named by the user alone: a Dockerfile would reach beyond its contexts. */
  readonly type: 'image' | 'layout';
  readonly reference: string;
}

export type NamedContext = NamedImage | { readonly type: 'files'; readonly name: string };

const IMAGE_SCHEME = 'docker-image://';

/** `written` is a name in any of its forms. */
export function findNamedContext(
  contexts: Readonly<Record<string, string>>,
  written: string,
): NamedContext | undefined {
  if (Object.keys(contexts).length === 0) return undefined;
  const name = contextName(written);
  const value = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (value === undefined) return undefined;
  if (value.startsWith(LAYOUT_SCHEME)) return { type: 'layout', reference: value };
  return value.startsWith(IMAGE_SCHEME)
    ? { type: 'image', reference: value.slice(IMAGE_SCHEME.length) }
    : { type: 'files', name };
}
