import { createServer } from 'node:http';
import { greet } from 'greeting';

/** `GET /NAME` greets NAME. */
export function createApp(version) {
  return createServer((request, response) => {
    const name =
      decodeURIComponent(new URL(request.url, 'http://app').pathname.slice(1)) || 'world';
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ text: greet(name), version }));
  });
}
