import { join } from 'node:path';
import { z } from 'zod';
import { run } from '../build/run.ts';
import { script } from '../build/scripts.ts';
import { listTree } from '../build/tree.ts';
import { type ImportsOf, moduleName, reachableModules } from './keep.ts';

const answerSchema = z.record(z.string(), z.object({ now: z.array(z.string()), later: z.array(z.string()) }));
const TIMEOUT_MS = 2 * 60_000;

async function parse(files: Record<string, string>, interpreter: string): Promise<Map<string, ImportsOf>> {
  const { stdout } = await run(interpreter, ['-I', '-S', script('lazy_imports.py')], {
    cwd: '/',
    env: { LC_ALL: 'C.UTF-8' },
    input: JSON.stringify({ files }),
    timeoutMs: TIMEOUT_MS,
  });
  return new Map(Object.entries(answerSchema.parse(JSON.parse(stdout))));
}

/**
 * What modules below the folders import: those that were loaded and all that they can reach. Others are there, too, but
 * nobody has looked into them; compiled ones import what nobody can see.
 */
export async function importsOfModules(
  roots: readonly string[],
  loaded: ReadonlySet<string>,
  interpreter: string,
): Promise<Map<string, ImportsOf>> {
  const sources = new Map<string, string>();
  const imports = new Map<string, ImportsOf>();
  for (const root of roots) {
    for (const { path } of await listTree(root)) {
      const name = moduleName(path);
      if (name === undefined) continue;
      imports.set(name, { now: [], later: [] });
      if (path.endsWith('.py')) sources.set(name, join(root, path));
    }
  }
  const read = new Set<string>();
  let wanted = [...loaded];
  while (wanted.length > 0) {
    const files = wanted.flatMap((name) => {
      const path = sources.get(name);
      return path === undefined ? [] : [[name, path] as const];
    });
    for (const [name, found] of await parse(Object.fromEntries(files), interpreter)) imports.set(name, found);
    for (const name of wanted) read.add(name);
    wanted = [...reachableModules(loaded, imports)].filter((name) => !read.has(name));
  }
  return imports;
}
