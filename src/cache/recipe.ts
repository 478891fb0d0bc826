/**
 * A step's key is a recipe that can be read: the hash of a versioned list of named fields. The list is stored beside the
 * result, so that the same record answers "is it cached?", "why not?" (compare with the nearest record) and, on another
 * machine, "may I reuse yours?".
 *
 * Parents enter by what they contain (the chainID of their layers), never by how they were made. So a step whose parent
 * was made again, but with the same content, hits; and no second, definition-based key is needed.
 *
 * A field's value never holds a secret: secrets and cache mounts enter by their ids alone.
 */
import { type CacheKey, digestOf } from '../oci/digest.ts';

export type RecipeValue = string | readonly string[];
export type RecipeField = readonly [name: string, value: RecipeValue];

/** The first field is always `recipe`, whose value names the kind and version: `run.v1`. */
export type Recipe = readonly [RecipeField, ...RecipeField[]];

export function cacheKey(recipe: Recipe): CacheKey {
  return digestOf<CacheKey>(JSON.stringify(recipe));
}

/** Leaves out fields without a value, so that adding an optional field later does not change the keys of today. */
export function recipe(
  kind: string,
  fields: Readonly<Record<string, RecipeValue | undefined>>,
): Recipe {
  const present = Object.entries(fields).filter((field): field is [string, RecipeValue] => {
    const value = field[1];
    return value !== undefined && value.length > 0;
  });
  return [['recipe', kind], ...present];
}

/** One difference between two recipes of the same kind. */
export interface RecipeDifference {
  readonly field: string;
  readonly before?: RecipeValue;
  readonly after?: RecipeValue;
}

export function compareRecipes(before: Recipe, after: Recipe): readonly RecipeDifference[] {
  const old = new Map(before);
  const fresh = new Map(after);
  const names = [...new Set([...old.keys(), ...fresh.keys()])];
  return names
    .filter((name) => JSON.stringify(old.get(name)) !== JSON.stringify(fresh.get(name)))
    .map((field) => {
      const [a, b] = [old.get(field), fresh.get(field)];
      return {
        field,
        ...(a === undefined ? {} : { before: a }),
        ...(b === undefined ? {} : { after: b }),
      };
    });
}
