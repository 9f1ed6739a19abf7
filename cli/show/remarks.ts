import type { Manifest } from '../../core/build/manifest.ts';

/** What a person should know of the build whether they ask or not: what was not traced, or not checked, and why. Each once. */
export function remarks(manifests: readonly Manifest[]): string[] {
  const lines = manifests.flatMap(({ steps, notes }) => [
    ...steps.flatMap(({ note }) => (note === undefined ? [] : [`Not traced: ${note}.`])),
    ...notes.map((note) => `Note: ${note}.`),
  ]);
  return [...new Set(lines)];
}
