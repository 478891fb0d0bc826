/**
 * A server for the cases that fetch something: the files below a directory, with `Last-Modified` and `ETag`; git repositories
 * (`….git`) by git's smart protocol; and `…/redirect/…`, which leads to the same without it. A process of its own, since the runner
 * waits for its builds synchronously: prints its port, and ends with its stdin.
 */
import { spawn } from 'node:child_process';
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, posix } from 'node:path';

const [root] = process.argv.slice(2);

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  const path = decodeURIComponent(posix.normalize(pathname));
  if (path.includes('/redirect/')) {
    response.writeHead(302, { location: path.replace('/redirect/', '/') }).end();
  } else if (/\.git\/(info|git-upload-pack|HEAD|objects)/.test(path)) {
    serveGit(path, searchParams, request, response);
  } else {
    serveFile(join(root, path), request, response);
  }
});

function serveFile(file, request, response) {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat?.isFile()) {
    response.writeHead(404).end('no such file\n');
    return;
  }
  response.writeHead(200, {
    'content-length': stat.size,
    'last-modified': stat.mtime.toUTCString(),
    etag: `"${stat.ino}-${stat.mtimeMs}-${stat.size}"`,
  });
  if (request.method === 'HEAD') response.end();
  else createReadStream(file).pipe(response);
}

function serveGit(path, searchParams, request, response) {
  const { method, headers } = request;
  const backend = spawn('/usr/lib/git-core/git-http-backend', [], {
    env: {
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: path,
      QUERY_STRING: searchParams.toString(),
      REQUEST_METHOD: method,
      CONTENT_TYPE: headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
      GIT_PROTOCOL: headers['git-protocol'] ?? '',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  request.pipe(backend.stdin);
  const chunks = [];
  backend.stdout.on('data', (chunk) => chunks.push(chunk));
  backend.stdout.on('end', () => {
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf('\r\n\r\n');
    const fields = answer.subarray(0, end).toString().split('\r\n');
    const pairs = fields.map((field) => field.split(/: (.*)/s).slice(0, 2));
    const { Status: status = '200', ...rest } = Object.fromEntries(pairs);
    response.writeHead(Number.parseInt(status, 10), rest).end(answer.subarray(end + 4));
  });
}

server.listen(0, '127.0.0.1', () => console.log(server.address().port));

// Whatever becomes of the runner, its end of the pipe closes; should another process have inherited it, the parent changes.
for (const event of ['end', 'close', 'error']) process.stdin.on(event, () => process.exit());
process.stdin.resume();
const runner = process.ppid;
setInterval(() => {
  if (process.ppid !== runner) process.exit();
}, 1000);
