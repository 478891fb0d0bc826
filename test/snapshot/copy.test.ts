import { createCopySnapshotter } from '../../src/snapshot/copy.ts';
import { snapshotterContract } from '../contract/snapshotter.ts';
import { enterPrivateMounts } from '../layer/private-mounts.ts';

enterPrivateMounts();

snapshotterContract('copying', createCopySnapshotter);
