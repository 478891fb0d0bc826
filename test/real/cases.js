/**
 * Those of fixtures/real that can be built from Debian alone, and what their containers print. `sameFiles`: nothing in them
 * comes from the network or tells the time, so that two builders must give the same files.
 */
export const CASES = [
  { name: 'debian-hello', prints: 'hello from debian\n', sameFiles: true },
  { name: 'perl-app', prints: '3 letters\n', sameFiles: true },
  { name: 'postgres-like', prints: 'database:1777\n', sameFiles: true },
  { name: 'mysql-like', prints: 'docker.cnf\n8.4.0-1debian12\n', sameFiles: true },
  { name: 'monorepo-make', prints: 'out a\nout b\na\nb\n', sameFiles: true },
  { name: 'cron-like', prints: 'job of job\n', sameFiles: true },
  { name: 'onbuild-base', prints: 'on build\n', sameFiles: true },
  { name: 'secrets-and-ssh', prints: 'public\n', sameFiles: true },
  { name: 'redis-like', prints: /^Redis server v=\d/ },
  { name: 'nginx-like', prints: '' },
  { name: 'gcc-multistage', prints: 'static dev\n' },
  { name: 'python-venv', prints: '{"python": 3}\n' },
  { name: 'node-npm', prints: 'sum 3\n' },
  { name: 'apt-pinned', prints: '3\n' },
  { name: 'ci-toolbox', prints: /^git version\nGNU Make\n$|^git version .*\n?GNU Make/ },
];
