import { join } from 'node:path';
import { z } from 'zod';
import { run } from '../build/run.ts';
import { script } from '../build/scripts.ts';
import { listTree } from '../build/tree.ts';
import { type ImportsOf, moduleName } from './keep.ts';

const answerSchema = z.record(z.string(), z.object({ now: z.array(z.string()), later: z.array(z.string()) }));
const TIMEOUT_MS = 2 * 60_000;

/** What every module below the folders imports; compiled modules import what nobody can see. */
export async function importsOfModules(
  roots: readonly string[],
  interpreter: string,
): Promise<Map<string, ImportsOf>> {
  const files: Record<string, string> = {};
  const natives: string[] = [];
  for (const root of roots) {
    for (const { path } of await listTree(root)) {
      const name = moduleName(path);
      if (name === undefined || /(^|\.)tests?\./.test(name)) continue;
      if (path.endsWith('.py')) files[name] = join(root, path);
      else natives.push(name);
    }
  }
  const { stdout } = await run(interpreter, ['-I', '-S', script('lazy_imports.py')], {
    cwd: roots[0] ?? '/',
    env: { LC_ALL: 'C.UTF-8' },
    input: JSON.stringify({ files }),
    timeoutMs: TIMEOUT_MS,
  });
  const found = answerSchema.parse(JSON.parse(stdout));
  return new Map<string, ImportsOf>([
    ...natives.map((name): [string, ImportsOf] => [name, { now: [], later: [] }]),
    ...Object.entries(found),
  ]);
}
