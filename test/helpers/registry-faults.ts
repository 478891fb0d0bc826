/** What can go wrong between a client and a registry, as data. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface Fault {
  readonly method?: string;
  /** Part of the path. */
  readonly path?: string | RegExp;
  /** Answers instead of the registry; says whether it did. */
  readonly before?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Answers through something that spoils it. */
  readonly wrap?: (response: ServerResponse) => ServerResponse;
}

export function takeFault(faults: Fault[], request: IncomingMessage, url: URL): Fault | undefined {
  const at = faults.findIndex(
    ({ method, path = '' }) =>
      (method === undefined || method === request.method) &&
      (typeof path === 'string' ? url.pathname.includes(path) : path.test(url.pathname)),
  );
  return at < 0 ? undefined : faults.splice(at, 1)[0];
}

type Where = Pick<Fault, 'method' | 'path'>;

/** Answers with this status. */
export function status(
  code: number,
  where: Where = {},
  headers: Record<string, string> = {},
  body = '',
): Fault {
  return {
    ...where,
    before: (request, response) => {
      request.resume();
      response.writeHead(code, headers);
      response.end(body);
      return true;
    },
  };
}

/** Cuts the connection without an answer, after so many bytes of the request's body. */
export function reset(where: Where = {}, afterBytes = 0): Fault {
  return {
    ...where,
    before: (request) => {
      if (afterBytes === 0) {
        request.socket.destroy();
        return true;
      }
      let size = 0;
      request.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size >= afterBytes) setImmediate(() => request.socket.destroy());
      });
      request.pause();
      return false;
    },
  };
}

/** Never answers. */
export function stall(where: Where = {}): Fault {
  return { ...where, before: () => true };
}

/** Does what was asked, and cuts the connection before the answer. */
export function loseAnswer(where: Where = {}): Fault {
  return {
    ...where,
    wrap: (response) => spoiled(response, () => response.destroy()),
  };
}

/** Sends only so many bytes of the body, then cuts the connection or goes silent. */
export function breakBody(bytes: number, then: 'reset' | 'stall', where: Where = {}): Fault {
  return {
    ...where,
    wrap: (response) =>
      spoiled(response, (body) => {
        response.write(body.subarray(0, bytes), () => {
          if (then === 'reset') response.destroy();
        });
      }),
  };
}

/** Sends a whole answer that is shorter, longer or other than it should be, with headers that agree. */
export function alterBody(alter: (body: Buffer) => Buffer, where: Where = {}): Fault {
  return {
    ...where,
    wrap: (response) => {
      const head = response.writeHead.bind(response);
      let kept: [number, Record<string, string>] = [200, {}];
      const wrapped = Object.create(response) as ServerResponse;
      Object.assign(wrapped, {
        writeHead: (code: number, headers: Record<string, string>) => {
          kept = [code, headers];
          return wrapped;
        },
        end: (body?: Buffer) => {
          const altered = alter(Buffer.from(body ?? ''));
          head(kept[0], { ...kept[1], 'content-length': String(altered.length) });
          response.end(altered);
          return wrapped;
        },
      });
      return wrapped;
    },
  };
}

function spoiled(response: ServerResponse, end: (body: Buffer) => void): ServerResponse {
  const wrapped = Object.create(response) as ServerResponse;
  Object.assign(wrapped, {
    writeHead: (code: number, headers: Record<string, string>) => {
      response.writeHead(code, headers);
      return wrapped;
    },
    end: (body?: Buffer) => {
      end(Buffer.from(body ?? ''));
      return wrapped;
    },
  });
  return wrapped;
}
