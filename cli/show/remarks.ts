import type { Manifest } from '../../core/build/manifest.ts';
import type { Project } from '../../core/project/project.ts';
import { explainDefaults, type SizeReport } from '../../core/size/report.ts';

/**
 * What a person should know of the build whether they ask or not: what was not traced, or not checked, and why; what is over a
 * default budget. Each once.
 * @param project what of it was left out. Default: nothing
 */
export function remarks(
  manifests: readonly Manifest[],
  report: SizeReport,
  project: Pick<Project, 'unreleasable' | 'unbuilt' | 'remarks'> = {
    unreleasable: [],
    unbuilt: [],
    remarks: [],
  },
): string[] {
  const lines = manifests.flatMap(({ steps, notes }) => [
    ...steps.flatMap(({ note }) => (note === undefined ? [] : [`Not traced: ${note}.`])),
    ...notes.map((note) => `Note: ${note}.`),
  ]);
  const before = [
    ...project.unreleasable.map(({ message }) => `Before it can be released: ${message}.`),
    ...project.unbuilt.map(({ logicalId, why }) => `Not built: ${logicalId}: ${why}.`),
    ...project.remarks.map((line) => `Note: ${line}.`),
  ];
  return [...new Set([...before, ...lines, ...explainDefaults(report).map((line) => `Note: ${line}.`)])];
}
