/**
 * Annotations, and what each is for: the manifests, the index above them, or the descriptors of either (image-spec
 * annotations.md). Read in both forms that buildx takes: `--annotation index,manifest[linux/amd64]:KEY=VALUE`, and the
 * attributes of an output, `annotation-manifest[linux/amd64].KEY=VALUE`.
 */
import { TsbuildError } from '../errors.ts';
import { type Platform, parsePlatform, samePlatform } from '../oci/platform.ts';

const SCOPES = ['manifest', 'index', 'manifest-descriptor', 'index-descriptor'] as const;
export type AnnotationScope = (typeof SCOPES)[number];

export interface Annotation {
  readonly scope: AnnotationScope;
  /** The only one it is for; all if absent. */
  readonly platform?: Platform;
  readonly key: string;
  readonly value: string;
}

/** As it stands after `--annotation`; one for each scope that it names. @throws TsbuildError `USAGE` */
export function parseAnnotation(text: string): readonly Annotation[] {
  const [, scopes = 'manifest', key, value] = /^(?:([^:=]*):)?([^=:]+)=(.*)$/s.exec(text) ?? [];
  if (key === undefined || value === undefined)
    throw invalid(text, 'write it as KEY=VALUE or SCOPE:KEY=VALUE');
  return scopes.split(',').map((scope) => ({ ...parseScope(scope, text), key, value }));
}

const ATTRIBUTE = /^annotation(?:-([a-z-]+))?(\[[^\]]*\])?\.(\S+)$/;

export function isAnnotationAttribute(name: string): boolean {
  return ATTRIBUTE.test(name);
}

/** Those among the attributes of an output. @throws TsbuildError `USAGE` */
export function annotationAttributes(
  attributes: Readonly<Record<string, string>>,
): readonly Annotation[] {
  return Object.entries(attributes).flatMap(([name, value]) => {
    const [, scope = 'manifest', platform = '', key] = ATTRIBUTE.exec(name) ?? [];
    return key === undefined ? [] : [{ ...parseScope(scope + platform, name), key, value }];
  });
}

/** What is said for one document, or the descriptor of one. */
export function annotationsFor(
  annotations: readonly Annotation[],
  scope: AnnotationScope,
  platform?: Platform,
): Readonly<Record<string, string>> {
  const chosen = annotations.filter(
    (each) =>
      each.scope === scope &&
      (each.platform === undefined ||
        (platform !== undefined && samePlatform(each.platform, platform))),
  );
  return Object.fromEntries(chosen.map(({ key, value }) => [key, value]));
}

function parseScope(text: string, whole: string): Pick<Annotation, 'scope' | 'platform'> {
  const [, name, platform] = /^([a-z-]+)(?:\[(.+)\])?$/.exec(text) ?? [];
  const scope = SCOPES.find((each) => each === name);
  if (scope === undefined) throw invalid(whole, `use one of ${SCOPES.join(', ')}`);
  return { scope, ...(platform === undefined ? {} : { platform: parsePlatform(platform) }) };
}

function invalid(text: string, hint: string): TsbuildError {
  return new TsbuildError('USAGE', `not an annotation: ${JSON.stringify(text)}`, { hint });
}
