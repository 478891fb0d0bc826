import { describe, expect, it } from 'vitest';
import { containerArgs } from '../../src/container/args.ts';

describe('the command of a container', () => {
  const both = { Entrypoint: ['/entry', '-x'], Cmd: ['default'] };
  it.each([
    ['is entrypoint and command of the image', both, {}, ['/entry', '-x', 'default']],
    ['has another command', both, { command: ['a', 'b'] }, ['/entry', '-x', 'a', 'b']],
    ['has another entrypoint, and no default command', both, { entrypoint: ['sh'] }, ['sh']],
    ['has both replaced', both, { entrypoint: ['sh'], command: ['-c', 'x'] }, ['sh', '-c', 'x']],
    ['has its entrypoint taken away', both, { entrypoint: [], command: ['a'] }, ['a']],
    ['is the command alone', { Cmd: ['sh'] }, {}, ['sh']],
    ['is the entrypoint alone', { Entrypoint: ['/e'] }, {}, ['/e']],
    ['takes null for absent', { Entrypoint: null, Cmd: ['sh'] }, {}, ['sh']],
  ])('%s', (_, config, options, args) => {
    expect(containerArgs(config, options)).toEqual(args);
  });

  it.each([
    ['an image without one', {}, {}],
    ['an entrypoint that was taken away', both, { entrypoint: [] }],
  ])('is asked for with %s', (_, config, options) => {
    expect(() => containerArgs(config, options)).toThrow('no command was given');
  });
});
