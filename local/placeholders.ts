import { objectOf } from '../core/project/intrinsics.ts';
import types from './placeholder-types.json' with { type: 'json' };

/**
 * What of a template the embedded AWS only pretends to create, a line each: see adapter/placeholder_types.py. Pure.
 * @param document the template
 */
export const placeholdersIn = (document: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(objectOf(document['Resources'])).flatMap(([id, resource]) => {
    const type = String(objectOf(resource)['Type']);
    return types.includes(type) ? [`Not created here: ${id}: the embedded AWS has no ${type}.`] : [];
  });
