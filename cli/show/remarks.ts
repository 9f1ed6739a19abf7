import type { Manifest } from '../../core/build/manifest.ts';
import { explainDefaults, type SizeReport } from '../../core/size/report.ts';

/**
 * What a person should know of the build whether they ask or not: what was not traced, or not checked, and why; what is over a
 * default budget. Each once.
 * @param unreleasable what is no reason not to build. Default: nothing
 */
export function remarks(
  manifests: readonly Manifest[],
  report: SizeReport,
  unreleasable: readonly Error[] = [],
): string[] {
  const lines = manifests.flatMap(({ steps, notes }) => [
    ...steps.flatMap(({ note }) => (note === undefined ? [] : [`Not traced: ${note}.`])),
    ...notes.map((note) => `Note: ${note}.`),
  ]);
  const before = unreleasable.map(({ message }) => `Before it can be released: ${message}.`);
  return [...new Set([...before, ...lines, ...explainDefaults(report).map((line) => `Note: ${line}.`)])];
}
