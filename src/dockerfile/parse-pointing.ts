/** {@link parseDockerfile}, whose errors point at the word at fault. What finds it is loaded for errors alone. */
import { isTsbuildError, type SourceLocation } from '../errors.ts';
import { type Dockerfile, parseDockerfile } from './parse.ts';

export async function parsePointing(bytes: Uint8Array, file: string): Promise<Dockerfile> {
  try {
    return parseDockerfile(bytes, { file });
  } catch (error) {
    if (isTsbuildError(error) && error.location?.subject !== undefined)
      error.location = await pointAt(error.location, Buffer.from(bytes).toString());
    throw error;
  }
}

/** With line and column of the word, which may stand on a later line than its instruction. */
async function pointAt(location: SourceLocation, source: string): Promise<SourceLocation> {
  const { markSource } = await import('./source-mark.ts');
  const mark = markSource(source, location);
  if (mark === undefined) return location;
  const lineText = source.split('\n')[mark.line - 1]?.replace(/\r$/, '') ?? '';
  return { ...location, line: mark.line, column: mark.column, lineText };
}
