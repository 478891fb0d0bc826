/**
 * undici for the command. Its parser is WebAssembly, and one function of that is nearly all of it: V8 optimizes it after a
 * few headers, which takes 60 ms of a core, and the process waits for that before it ends. What a command has to parse, the
 * code that there is at first does as well. Flags are the whole process's, so callers of the API keep theirs.
 */
import { setFlagsFromString } from 'node:v8';

/** The only function that may be optimized, by its number: none has this one. */
const NONE = 1_000_000;
const ANY = -1;

setFlagsFromString(`--wasm-tier-up-filter=${NONE}`);
// Compiled code that is kept, by kept-code.ts or by Node, is of use only under the flags that it was made with.
process.prependOnceListener('exit', () => setFlagsFromString(`--wasm-tier-up-filter=${ANY}`));

export * from '../registry/undici.ts';
