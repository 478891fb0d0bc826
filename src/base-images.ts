/** Images that a build starts from or copies from: those of the store, of layouts, and those that a registry has to be asked for. */
import type { Environment } from './environment.ts';
import type { EventSink } from './events.ts';
import type { PlanImage } from './graph/step.ts';
import { findPresentImage, type Image } from './image/image.ts';
import { formatPlatform } from './oci/platform.ts';
import { LAYOUT_SCHEME } from './oci/reference.ts';

export interface BaseImages {
  /** The image, fetched if need be; asked for twice, it is looked up once. */
  resolve(image: PlanImage): Promise<Image>;
}

export interface BaseImagesOptions {
  readonly environment: Environment;
  /** Ask the registry first, even if the store has the image. */
  readonly pull: boolean;
  readonly emit: EventSink;
  readonly signal: AbortSignal;
}

export function openBaseImages(options: BaseImagesOptions): BaseImages {
  const known = new Map<string, Promise<Image>>();
  return {
    resolve(image) {
      const key = `${image.reference} ${formatPlatform(image.platform)}`;
      let pending = known.get(key);
      if (pending === undefined) {
        pending = findOrPull(image, options);
        known.set(key, pending);
      }
      return pending;
    },
  };
}

async function findOrPull(image: PlanImage, options: BaseImagesOptions): Promise<Image> {
  const { environment, pull, emit, signal } = options;
  const request = { ...image, emit, signal };
  if (image.reference.startsWith(LAYOUT_SCHEME)) {
    const { receiveFromLayout } = await import('./layout-image.ts');
    return receiveFromLayout(environment, request);
  }
  if (!pull) {
    const found = findPresentImage(environment.store, image.reference, image.platform);
    if (found !== undefined) return found;
  }
  const { pullReference } = await import('./ship.ts');
  return pullReference(environment, request);
}
