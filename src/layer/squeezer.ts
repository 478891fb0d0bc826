/** What makes gzip: zlib, or libraries that do it faster, where the host has them. */
export interface Squeezer extends Disposable {
  /** One member of the input, at the start of the output. Returns its size, or 0 if there is no room for it. */
  readonly squeeze: (input: Buffer, output: Buffer) => number;
}
