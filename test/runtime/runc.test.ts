import { createRunc } from '../../src/runtime/runc.ts';
import { runtimeContract } from '../contract/runtime.ts';
import { enterPrivateMounts } from '../layer/private-mounts.ts';

enterPrivateMounts();

const env = { PATH: process.env.PATH! };

runtimeContract('runc', (places) => createRunc({ file: '/usr/sbin/runc', env, ...places }));
