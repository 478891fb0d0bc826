/**
 * Overlay's language for deletions:
 * https://docs.kernel.org/filesystems/overlayfs.html#whiteouts-and-opaque-directories
 */
import { fsPath } from '../host/path-bytes.ts';
import { lgetxattr } from '../host/syscalls.ts';
import type { FileNode } from '../tree/file-tree.ts';

/** The path is deleted. */
export function isWhiteout(node: FileNode): boolean {
  return node.type === 'char' && node.device?.major === 0 && node.device.minor === 0;
}

/** The directory hides what layers below have at its path. */
export function isOpaque(directory: string): boolean {
  const path = fsPath(directory);
  const mark = lgetxattr(path, 'trusted.overlay.opaque') ?? lgetxattr(path, 'user.overlay.opaque');
  return mark?.toString() === 'y';
}
