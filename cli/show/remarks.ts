import type { Manifest } from '../../core/build/manifest.ts';
import { explainDefaults, type SizeReport } from '../../core/size/report.ts';

/**
 * What a person should know of the build whether they ask or not: what was not traced, or not checked, and why; what is over a
 * default budget. Each once.
 */
export function remarks(manifests: readonly Manifest[], report: SizeReport): string[] {
  const lines = manifests.flatMap(({ steps, notes }) => [
    ...steps.flatMap(({ note }) => (note === undefined ? [] : [`Not traced: ${note}.`])),
    ...notes.map((note) => `Note: ${note}.`),
  ]);
  return [...new Set([...lines, ...explainDefaults(report).map((line) => `Note: ${line}.`)])];
}
