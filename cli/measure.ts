import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Workspace, WorkspaceArtifact } from '../core/build/workspace.ts';
import type { BuildPlan } from '../core/release/build-plan.ts';
import { fileRanges, readCentralDirectory } from '../core/size/central-directory.ts';
import { checkEntries } from '../core/size/entries.ts';
import { ARTIFACT_LIMITS } from '../core/size/limits.ts';
import { type MeasuredArtifact, type SizeReport, sizeReport } from '../core/size/report.ts';

/** Built artifacts stand here, below the project. */
export const BUILD_FOLDER = join('.plimsoll', 'build');

async function measure({ manifest, folder }: WorkspaceArtifact): Promise<MeasuredArtifact> {
  const { kind, name } = manifest;
  const path = join(folder, `${kind}.zip`);
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const { entries, dataEnd } = await readCentralDirectory(
      path,
      size,
      fileRanges(file),
      ARTIFACT_LIMITS.entries,
    );
    checkEntries(path, entries, dataEnd, ARTIFACT_LIMITS);
    const files = entries.map((entry) => ({
      path: entry.fileName,
      bytes: entry.uncompressedSize,
      crc32: entry.crc32,
    }));
    return { kind, name, zipped: size, files };
  } finally {
    await file.close();
  }
}

/** Measures what was built, as the pipeline's validator does: by the zips' central directories. */
export async function measureAll(plan: BuildPlan, workspace: Workspace): Promise<SizeReport> {
  return sizeReport(plan, await Promise.all([...workspace.artifacts.values()].map(measure)));
}
