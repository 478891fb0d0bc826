/** Contexts and ADD sources out of git repositories, by the git program: only it speaks all of its transports. */
import fs from 'node:fs';
import path from 'node:path';
import ignore from 'ignore';
import { TsbuildError } from '../errors.ts';
import { findExecutable, runCommand } from '../host/process.ts';
import { cleanPath, type FileTree } from '../tree/file-tree.ts';
import { subtree } from '../tree/subtree.ts';
import { openDirectory } from './directory.ts';
import { type GitReference, redactUrl } from './location.ts';

export interface GitOptions {
  /** Private; gets the checkout, and must stay as long as the tree is in use. */
  readonly directory: string;
  /** Environment of git: PATH, HOME, SSH_AUTH_SOCK, proxies. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
}

/** Files belong to root and may be read by all, whatever the umask here is. */
const WITH_UMASK = 'umask 022; exec "$0" "$@"';

/**
 * The files of a commit, with its submodules. `.git` is among them only if the reference says so.
 * @throws TsbuildError `CONTEXT` with what git said, `DIGEST_MISMATCH` if the commit is not the promised one,
 * `UNSUPPORTED_HOST` without git.
 */
export async function checkOut(reference: GitReference, options: GitOptions): Promise<FileTree> {
  const checkout = fs.mkdtempSync(path.join(options.directory, 'git-'));
  const git = gitIn(checkout, reference, options);
  await git('init', '--quiet');
  await git('remote', 'add', 'origin', reference.remote);
  await fetchRef(git, reference.ref ?? 'HEAD');
  await git('-c', 'advice.detachedHead=false', 'checkout', '--quiet', '--force', 'FETCH_HEAD');
  const commit = (await git('rev-parse', 'HEAD')).trim();
  if (reference.checksum !== undefined && !commit.startsWith(reference.checksum)) {
    throw new TsbuildError(
      'DIGEST_MISMATCH',
      `check out ${redactUrl(reference.remote)}: it is commit ${commit}, not ${reference.checksum}`,
    );
  }
  if (reference.submodules !== false && fs.existsSync(path.join(checkout, '.gitmodules'))) {
    await git('submodule', 'update', '--init', '--recursive', '--depth=1', '--quiet');
  }
  if (!reference.keepGitDirectory) removeGitDirectories(checkout);
  return scopeTo(openDirectory(checkout), reference, checkout);
}

type Git = (...args: string[]) => Promise<string>;

function gitIn(checkout: string, reference: GitReference, options: GitOptions): Git {
  const { env, signal } = options;
  const program = findExecutable('git', env.PATH ?? '');
  if (program === undefined) {
    throw new TsbuildError('UNSUPPORTED_HOST', 'read git repository: there is no git program', {
      hint: 'Install git.',
    });
  }
  // It must not ask anyone anything: a build has no terminal to answer on.
  const silent = { ...env, GIT_TERMINAL_PROMPT: '0', GIT_ADVICE: '0', LC_ALL: 'C' };
  const defined = Object.entries(silent).filter(([, value]) => value !== undefined);
  const commandEnv = Object.fromEntries(defined) as Record<string, string>;
  return async (...args) => {
    const command = ['-c', WITH_UMASK, program, ...args];
    const commandOptions = { env: commandEnv, cwd: checkout, ...(signal ? { signal } : {}) };
    const result = await runCommand('/bin/sh', command, commandOptions);
    if (result.status === 0) return result.stdout.toString();
    const said = redactUrl(result.stderr.toString().trim().slice(-2000));
    throw new TsbuildError(
      'CONTEXT',
      `read git repository ${redactUrl(reference.remote)}: ${said}`,
      {
        hint: 'Check the URL, the ref after #, and that git can read it without a password prompt.',
      },
    );
  };
}

/** One commit is enough; a server that serves no single commit by its name has to send everything. */
async function fetchRef(git: Git, ref: string): Promise<void> {
  try {
    await git('fetch', '--quiet', '--depth=1', '--no-tags', '--', 'origin', ref);
  } catch (error) {
    if (!/^[0-9a-f]{7,64}$/.test(ref)) throw error;
    await git('fetch', '--quiet', '--tags', 'origin', '+refs/heads/*:refs/remotes/origin/*');
    await git('update-ref', 'FETCH_HEAD', `${ref}^{commit}`);
  }
}

/** That of the checkout, and the files of that name which link a submodule to it. */
function removeGitDirectories(checkout: string): void {
  const modules = path.join(checkout, '.gitmodules');
  fs.rmSync(path.join(checkout, '.git'), { recursive: true, force: true });
  if (!fs.existsSync(modules)) return;
  for (const entry of fs.readdirSync(checkout, { recursive: true, withFileTypes: true })) {
    if (entry.name === '.git') fs.rmSync(path.join(entry.parentPath, entry.name), { force: true });
  }
}

function scopeTo(tree: FileTree, reference: GitReference, checkout: string): FileTree {
  const root = cleanPath(reference.subdirectory ?? '');
  if (tree.lookup(root)?.type !== 'directory') {
    const name = `${redactUrl(reference.remote)}#${reference.ref ?? ''}:${reference.subdirectory}`;
    throw new TsbuildError('CONTEXT', `read git repository ${name}: no such directory in it`);
  }
  const whyMissing = (file: string): string | undefined => whyNotCommitted(checkout, root, file);
  return { ...subtree(tree, root), whyMissing };
}

/** A file that is there for who built in a working directory may be missing in a commit. */
function whyNotCommitted(checkout: string, root: string, file: string): string | undefined {
  const rules = path.join(checkout, '.gitignore');
  const where = root === '' ? file : `${root}/${file}`;
  if (where === '' || !fs.existsSync(rules)) return undefined;
  const isIgnored = ignore().add(fs.readFileSync(rules, 'utf8')).ignores(where);
  return isIgnored ? `The repository's .gitignore keeps ${where} out of it.` : undefined;
}
