import { describe, expect, it } from 'vitest';
import { cacheKey, compareRecipes, recipe } from '../../src/cache/recipe.ts';

const base = recipe('run.v1', {
  parent: 'sha256:a',
  args: ['sh', '-c', 'make'],
  hosts: [],
  user: undefined,
});

describe('a recipe', () => {
  it('begins with its kind and leaves out fields without a value', () => {
    expect(base).toEqual([
      ['recipe', 'run.v1'],
      ['parent', 'sha256:a'],
      ['args', ['sh', '-c', 'make']],
    ]);
  });

  it('has a key that later optional fields do not change', () => {
    expect(
      cacheKey(recipe('run.v1', { parent: 'sha256:a', args: ['sh', '-c', 'make'], later: '' })),
    ).toBe(cacheKey(base));
  });

  it.each([
    ['another parent', { parent: 'sha256:b', args: ['sh', '-c', 'make'] }],
    ['another argument', { parent: 'sha256:a', args: ['sh', '-c', 'make all'] }],
    ['words divided elsewhere', { parent: 'sha256:a', args: ['sh', '-c make'] }],
  ])('has another key for %s', (_, fields) => {
    expect(cacheKey(recipe('run.v1', fields))).not.toBe(cacheKey(base));
  });

  it('says in which fields it differs from another', () => {
    const other = recipe('run.v1', { parent: 'sha256:b', args: ['sh', '-c', 'make'], user: 'app' });
    expect(compareRecipes(base, other)).toEqual([
      { field: 'parent', before: 'sha256:a', after: 'sha256:b' },
      { field: 'user', after: 'app' },
    ]);
  });
});
