import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './paths.ts';

/** All that the CDK reads, directly or not, to synthesise the pipeline. `dist` holds its handlers and the source of its builds. */
const SOURCES = [
  'buildspecs',
  'cdk.json',
  'core',
  'dist',
  'infra',
  'local/cdk-app.ts',
  'package-lock.json',
  'state-machines',
];

async function filesOf(source: string): Promise<string[]> {
  const path = join(ROOT, source);
  if (!(await stat(path)).isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** SHA-256, in hex, of the sources of the pipeline: where it is the same, deploying the pipeline would change nothing. */
export async function pipelineFingerprint(): Promise<string> {
  const files = (await Promise.all(SOURCES.map(filesOf))).flat().sort();
  const hash = createHash('sha256');
  for (const file of files) {
    const content = await readFile(file);
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}
