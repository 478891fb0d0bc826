/** Each makes a build context in `directory`, which may exist. */
export function prepareBusybox(directory: string): void;
export function prepareNode(directory: string): void;
export function prepareToolchain(directory: string): void;
