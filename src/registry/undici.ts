/**
 * The part of undici that a registry's client needs. The package's index would load fetch, caches, mocks and cookies besides,
 * and with these the copy of undici in Node itself, whose parser, a WebAssembly module, is compiled behind our back.
 */
import api from 'undici/lib/api/index.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';

export { default as buildConnector } from 'undici/lib/core/connect.js';
export { default as Agent } from 'undici/lib/dispatcher/agent.js';
export { default as EnvHttpProxyAgent } from 'undici/lib/dispatcher/env-http-proxy-agent.js';

// As the index does: the methods `request`, `connect` and their like.
Object.assign(Dispatcher.prototype, api);
