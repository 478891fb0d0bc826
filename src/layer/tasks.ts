/** What worker threads do for layers. Names and inputs of the tasks; the work itself is in the files beside this. */

import type { Tasks } from '../host/workers.ts';
import type { DiffID } from '../oci/digest.ts';
import type { FileRange } from '../tree/file-tree.ts';
import { CLAMP_TASK, type ClampRequest, clampTimes } from './clamp-times.ts';
import { COMPRESS_TASK } from './compress.ts';
import { compressRange, type RangeRequest } from './compress-range.ts';
import { FILL_TASK, fillPart, type TarPart } from './fill-part.ts';
import { encodeIndex } from './index-encode.ts';
import type { Layer } from './layer.ts';
import {
  type FileRequest,
  RECEIVE_TASK,
  RECEIVE_UNHASHED_TASK,
  receiveFile,
  receiveUnhashed,
} from './receive-file.ts';
import { scanLayer } from './scan.ts';

/** Reads a tar and gives the bytes of its index; with `verify`, only if the tar has the layer's digest. */
export interface ScanTask {
  readonly layer: Pick<Layer, 'tar' | 'size' | 'diffID'>;
  readonly verify?: boolean;
}

export const layerTasks = {
  [FILL_TASK]: (part: TarPart) => fillPart(part),
  /** {@link FileRequest} to `WrittenLayer`; reports bytes. */
  [RECEIVE_TASK]: (request: FileRequest, { report }) =>
    receiveFile(request, { onProgress: report }),
  /** The same, see {@link receiveUnhashed}. */
  [RECEIVE_UNHASHED_TASK]: (request: FileRequest & { readonly source: FileRange }, { report }) =>
    receiveUnhashed(request, { onProgress: report }),
  /** To `WrittenLayer`, or to nothing. */
  [CLAMP_TASK]: (request: ClampRequest) => clampTimes(request),
  [COMPRESS_TASK]: (request: RangeRequest, { transfer }) => {
    transfer(request.memory);
    return compressRange(request);
  },
  /** {@link ScanTask} to the index's bytes. */
  'layer.scan': ({ layer, verify }: ScanTask) =>
    encodeIndex(scanLayer(layer.tar, verify ? (layer.diffID as DiffID) : undefined), layer.size),
} satisfies Tasks;
