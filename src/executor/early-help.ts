/**
 * Gets the threads ready that are going to make a layer of what a container writes, while it still writes: to start them, and
 * to read the indexes of the layers below, takes 0.1 s. For most containers none are needed.
 */

/** A container that has ended by then costs nothing; afterwards it is looked at each time after twice the time. */
const FIRST_LOOK_MS = 200;

/** Asks `isMuch` now and then, until it is so or this is disposed of, and then calls `getReady` once. */
export function helpEarly(isMuch: () => boolean, getReady: () => void): Disposable {
  let timer: NodeJS.Timeout;
  const lookIn = (ms: number): void => {
    timer = setTimeout(() => {
      if (isMuch()) getReady();
      else lookIn(2 * ms);
    }, ms).unref();
  };
  lookIn(FIRST_LOOK_MS);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
