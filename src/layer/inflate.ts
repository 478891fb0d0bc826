export { inflateError, inflateStream } from '../tar/inflate.ts';
