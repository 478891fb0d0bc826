/** Certificates, made by openssl. */
import { execFileSync } from 'node:child_process';

/** What a key of a certificate is, for `openssl req`. */
export const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}

/** A certificate of its own authority, and its key. */
export function selfSign(files: { cert: string; key: string }, ...subject: string[]): void {
  const out = ['-keyout', files.key, '-out', files.cert];
  openssl('req', '-x509', ...KEY, ...out, '-days', '2', '-subj', ...subject);
}
