/**
 * Overlay's language for deletions:
 * https://docs.kernel.org/filesystems/overlayfs.html#whiteouts-and-opaque-directories
 */
import { fsPath } from '../host/path-bytes.ts';
import { lgetxattr, llistxattr } from '../host/syscalls.ts';
import type { FileNode } from '../tree/file-tree.ts';

/** The path is deleted. */
export function isWhiteout(node: FileNode): boolean {
  return node.type === 'char' && node.device?.major === 0 && node.device.minor === 0;
}

const OPAQUE = ['trusted.overlay.opaque', 'user.overlay.opaque'];

/** The directory hides what layers below have at its path. */
export function isOpaque(directory: string): boolean {
  const path = fsPath(directory);
  // Most have no xattrs at all, which is one question instead of two.
  const names = llistxattr(path);
  const name = OPAQUE.find((mark) => names.includes(mark));
  return name !== undefined && lgetxattr(path, name)?.toString() === 'y';
}
