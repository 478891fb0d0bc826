/** Names derived from content: image-spec config.md, "Layer ChainID". */
import { type ChainID, type DiffID, digestOf } from './digest.ts';

/** The chainID of a stack of layers, bottom first; `undefined` for no layers at all (`FROM scratch`). */
export function chainID(diffIDs: readonly DiffID[]): ChainID | undefined {
  let chain: ChainID | undefined;
  for (const diffID of diffIDs) chain = extendChain(chain, diffID);
  return chain;
}

export function extendChain(parent: ChainID | undefined, diffID: DiffID): ChainID {
  return parent === undefined
    ? (diffID as string as ChainID)
    : digestOf<ChainID>(`${parent} ${diffID}`);
}
