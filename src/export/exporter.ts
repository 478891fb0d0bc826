/**
 * Exporters write finished images where somebody asked for them: `oci` and `docker` as archives (`oci` also as a directory),
 * `local` and `tar` as the files of the image without its history. What they write is the same, byte for byte, for the same image.
 *
 * A file is there whole or not at all: it is written beside its place and renamed. A stream is the caller's and is not ended.
 * A directory is filled: what is there already and not in the way stays. Nothing is ever written outside it.
 *
 *     await ociExporter(store).export({ images: [{ names, descriptor }], destination: { file: 'app.tar' } });
 */
import type { Destination } from '../host/output.ts';
import type { SavedImage } from '../image/save.ts';

export interface ExportRequest {
  /** Names are full references; a descriptor may be that of an index. */
  readonly images: readonly SavedImage[];
  readonly destination: Destination | { readonly directory: string };
  /** Of files: a directory for each platform, also for a single one; or none, also for several. */
  readonly platformSplit?: boolean;
  readonly signal?: AbortSignal;
  /** Bytes written so far. */
  readonly onProgress?: (current: number) => void;
}

export interface Exporter {
  readonly type: 'oci' | 'docker' | 'local' | 'tar';
  /** @throws TsbuildError `OUTPUT`, `DISK_FULL`, `IMAGE_NOT_FOUND` if a part of an image is not in the store */
  export(request: ExportRequest): Promise<void>;
}
