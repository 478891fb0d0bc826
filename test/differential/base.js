/** The base image of the cases, `busybox`: the machine's static busybox and a few users, given to both sides. */
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PASSWD =
  'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\nweb:x:33:33:web:/var/www:/bin/sh\n';
const GROUP = 'root:x:0:\nstaff:x:50:app\napp:x:1001:\nweb:x:33:\n';

export function loadBase({ run, docker, tsbuild, scratch }) {
  const rootfs = join(scratch, 'base');
  for (const directory of ['bin', 'etc', 'root', 'tmp', 'home/app', 'var/www'])
    mkdirSync(join(rootfs, directory), { recursive: true });
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'));
  for (const applet of run(['/bin/busybox'], ['--list']).stdout.trim().split('\n')) {
    if (applet !== 'busybox') symlinkSync('busybox', join(rootfs, 'bin', applet));
  }
  writeFileSync(join(rootfs, 'etc/passwd'), PASSWD);
  writeFileSync(join(rootfs, 'etc/group'), GROUP);
  symlinkSync('/var/www', join(rootfs, 'www'));
  symlinkSync('nowhere', join(rootfs, 'dangling'));
  const tar = join(scratch, 'base.tar');
  const image = join(scratch, 'busybox.tar');
  must(run(['tar'], ['-C', rootfs, '--numeric-owner', '--owner=0', '--group=0', '-cf', tar, '.']));
  must(run(docker, ['import', '-c', 'CMD ["sh"]', tar, 'busybox:latest']));
  must(run(docker, ['save', '-o', image, 'busybox:latest']));
  must(run(tsbuild, ['load', '-i', image]));
}

function must(result) {
  if (result.status !== 0) throw new Error(result.stderr);
}
