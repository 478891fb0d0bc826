/** Replaced by the bundler with the version of package.json. */
declare const TSBUILD_VERSION: string;
