/**
 * What was downloaded before, with the validators that its server sent: a later build asks whether that is still so, and
 * fetches nothing if it is (https://www.rfc-editor.org/rfc/rfc9110#section-13). Part of the build cache: a file that is
 * damaged or gone is one that was never downloaded. Two files for each URL: what is known, and the bytes.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { diskError } from '../host/disk-error.ts';
import { redactUrl } from './location.ts';

export interface KnownDownload {
  readonly etag?: string;
  readonly lastModified?: string;
  /** In hex. */
  readonly sha256: string;
  readonly size: number;
}

export interface KnownDownloads {
  find(url: string): (KnownDownload & { readonly file: string }) | undefined;
  /** Remembers a download if its server sent a validator. Returns where the file is from now on. */
  keep(url: string, file: string, known: KnownDownload): string;
}

/** Those in `directory`, which need not exist yet, on the filesystem of the files to be kept. */
export function openKnownDownloads(directory: string): KnownDownloads {
  const recordOf = (url: string) => path.join(directory, `${sha256(url)}.json`);
  const bytesOf = (url: string, known: KnownDownload) =>
    path.join(directory, `${sha256(url)}-${known.sha256}`);
  return {
    find(url) {
      const known = readRecord(recordOf(url));
      if (known === undefined) return undefined;
      const file = bytesOf(url, known);
      if (fs.statSync(file, { throwIfNoEntry: false })?.size !== known.size) return undefined;
      // Pruning goes by when a file was last of use.
      const now = new Date();
      for (const used of [recordOf(url), file]) fs.utimesSync(used, now, now);
      return { ...known, file };
    },
    keep(url, file, known) {
      if (known.etag === undefined && known.lastModified === undefined) return file;
      const kept = bytesOf(url, known);
      try {
        fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
        fs.renameSync(file, kept);
        writeFileAtomic(recordOf(url), JSON.stringify(known), { mode: 0o600 });
      } catch (cause) {
        throw diskError(cause, `keep the download of ${redactUrl(url)}`);
      }
      return kept;
    },
  };
}

function readRecord(file: string): KnownDownload | undefined {
  try {
    const { etag, lastModified, sha256, size } = JSON.parse(fs.readFileSync(file, 'utf8'));
    const isText = (value: unknown) => value === undefined || typeof value === 'string';
    const isKnown = isText(etag) && isText(lastModified) && /^[0-9a-f]{64}$/.test(sha256);
    return isKnown && Number.isSafeInteger(size) ? { etag, lastModified, sha256, size } : undefined;
  } catch {
    return undefined;
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
