/** Of the store's form, in its file `version`. Raised when an older tsbuild would misread what a newer one writes. */
export const STORE_VERSION = '1';
