import { describe, expect, it } from 'vitest';
import { runcFailure } from '../../src/runtime/runc.ts';

const PREFIX = 'runc run failed: unable to start container process: ';

describe('a container that did not start', () => {
  it.each([
    ['exec: "nosuch": executable file not found in $PATH', 127],
    ['exec: "/nosuch": stat /nosuch: no such file or directory', 127],
    ['exec: "/bin": permission denied', 126],
    ['exec: "/bin": is a directory', 126],
  ])('because of %s has the status %i', (reason, exitCode) => {
    expect(runcFailure(PREFIX + reason)).toEqual({ exitCode, reason });
  });

  it('for any other reason is an error', () => {
    const reason = 'error during container init: mkdir /etc/x: not a directory';
    expect(() => runcFailure(PREFIX + reason)).toThrow(`start the container: ${reason}`);
  });
});
