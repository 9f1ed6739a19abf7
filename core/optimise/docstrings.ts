import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { run } from '../build/run.ts';
import { script } from '../build/scripts.ts';
import { listTree } from '../build/tree.ts';
import type { Change } from './stash.ts';
import { ownersOf, type Unit } from './unit.ts';

const TIMEOUT_MS = 2 * 60_000;

/**
 * Writes files of a folder without their docstrings into another, or the same.
 * @returns bytes less of each file that had any
 */
export async function stripDocstrings(
  root: string,
  files: readonly string[],
  out: string,
  interpreter: string,
): Promise<Record<string, number>> {
  if (files.length === 0) return {};
  const { stdout } = await run(interpreter, ['-I', '-S', script('strip_docstrings.py')], {
    cwd: root,
    env: { LC_ALL: 'C.UTF-8' },
    input: JSON.stringify({ root, files, out }),
    timeoutMs: TIMEOUT_MS,
  });
  return z.record(z.string(), z.int()).parse(JSON.parse(stdout));
}

/** Every Python file of third-party code, without its docstrings. Lines stay where they are. */
export async function docstringChanges(unit: Unit, interpreter: string, workdir: string): Promise<Change[]> {
  const files = (await listTree(unit.libraries))
    .map(({ path }) => path)
    .filter((path) => path.endsWith('.py') && !unit.own.has(path));
  const out = join(workdir, 'docstrings', unit.kind, unit.name);
  const saved = await stripDocstrings(unit.libraries, files, out, interpreter);
  const owners = ownersOf(unit);
  return Promise.all(
    Object.entries(saved).map(
      async ([path, bytes]): Promise<Change> => ({
        root: unit.libraries,
        path,
        content: await readFile(join(out, path)),
        saved: bytes,
        distribution: owners.get(path) ?? unit.name,
        reason: 'Docstrings, which nobody reads in Lambda; python -OO leaves them out, too.',
      }),
    ),
  );
}
