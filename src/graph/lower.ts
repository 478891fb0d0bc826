/** Folds one instruction into a stage. One function for each kind; those that make files add a step. */
import type { Instruction } from '../dockerfile/instruction.ts';
import { TsbuildError } from '../errors.ts';
import {
  lowerArg,
  lowerCmd,
  lowerEntrypoint,
  lowerEnv,
  lowerExpose,
  lowerHealthcheck,
  lowerLabel,
  lowerMaintainer,
  lowerOnBuild,
  lowerShell,
  lowerStopSignal,
  lowerUser,
  lowerVolume,
} from './lower-config.ts';
import { lowerRun } from './lower-run.ts';
import { lowerTransfer, lowerWorkdir } from './lower-transfer.ts';
import type { Lowering } from './lowering.ts';

export async function lower(lowering: Lowering, instruction: Instruction): Promise<void> {
  switch (instruction.kind) {
    case 'run':
      return lowerRun(lowering, instruction);
    case 'copy':
    case 'add':
      return lowerTransfer(lowering, instruction);
    case 'workdir':
      return lowerWorkdir(lowering, instruction);
    case 'arg':
      return lowerArg(lowering, instruction);
    case 'env':
      return lowerEnv(lowering, instruction);
    case 'label':
      return lowerLabel(lowering, instruction);
    case 'cmd':
      return lowerCmd(lowering, instruction);
    case 'entrypoint':
      return lowerEntrypoint(lowering, instruction);
    case 'shell':
      return lowerShell(lowering, instruction);
    case 'user':
      return lowerUser(lowering, instruction);
    case 'expose':
      return lowerExpose(lowering, instruction);
    case 'volume':
      return lowerVolume(lowering, instruction);
    case 'stopsignal':
      return lowerStopSignal(lowering, instruction);
    case 'maintainer':
      return lowerMaintainer(lowering, instruction);
    case 'healthcheck':
      return lowerHealthcheck(lowering, instruction);
    case 'onbuild':
      return lowerOnBuild(lowering, instruction);
    case 'from':
      throw new TsbuildError('DOCKERFILE_PARSE', 'FROM inside a stage', {
        location: instruction.location,
      });
  }
}
