import { cpSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { ROOT } from '../../local/paths.ts';

/** Projects as strangers write them: each is to be released as it lies there, by `plimsoll deploy --local` alone. */

const PROJECTS = join(ROOT, 'test', 'projects');

const schema = z.strictObject({
  /** What of the documentation it stands for. */
  points: z.array(z.string()).min(1),
  /** In which folder of it the command is given. @default its top */
  folder: z.string().default('.'),
  /** What its functions answer, by logical id. */
  functions: z.record(z.string(), z.strictObject({ event: z.unknown().optional(), answer: z.unknown() })),
  /** What the command line says of it, beside the usual. */
  says: z.array(z.string()).default([]),
  /** Why its answers are not those of what `sam build` builds. @default they are the same */
  differsFromSam: z.string().optional(),
  /** Whether its build takes longer than some seconds. */
  isLong: z.boolean().default(false),
});

export interface Fixture extends z.infer<typeof schema> {
  name: string;
}

export const fixtures: readonly Fixture[] = readdirSync(join(PROJECTS, 'fixtures'))
  .sort()
  .map((name) => ({
    name,
    ...schema.parse(JSON.parse(readFileSync(join(PROJECTS, 'expected', `${name}.json`), 'utf8'))),
  }));

/** A copy of a project, as after `git clone`, and the folder in it in which commands are given. */
export function cloned({ name, folder }: Fixture): string {
  const root = mkdtempSync(join(tmpdir(), `plimsoll-${name}-`));
  const project = join(root, name);
  cpSync(join(PROJECTS, 'fixtures', name), project, { recursive: true });
  // As a clone has it: where the project ends that a template in a folder of it climbs in.
  cpSync(join(ROOT, '.gitignore'), join(project, '.git', 'info', 'exclude'));
  return join(project, folder);
}
