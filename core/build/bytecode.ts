import { z } from 'zod';
import { InstallError } from '../errors.ts';
import { run } from './run.ts';
import { script } from './scripts.ts';

const resultSchema = z.object({ compiled: z.int(), skipped: z.record(z.string(), z.string()) });
const TIMEOUT_MS = 10 * 60_000;

/** How many files got bytecode, and which did not, with the reason. */
export type BytecodeResult = z.infer<typeof resultSchema>;

export interface BytecodeFiles {
  /** Get bytecode beside their source: the project's own code. */
  files: readonly string[];
  /** Are replaced by their bytecode: third-party packages, whose source nobody reads in Lambda. */
  sourceless: readonly string[];
}

/**
 * Compiles Python files to unchecked-hash bytecode. /opt and /var/task are read-only, so a file without
 * valid bytecode is compiled anew at every cold start; a time stamp would be stale after zipping.
 * @param interpreter of the runtime's own minor version
 * @param prefix folder of the tree at run time, for tracebacks
 */
export async function compileTree(
  tree: string,
  files: BytecodeFiles,
  interpreter: string,
  prefix: string,
): Promise<BytecodeResult> {
  const result = await run(interpreter, ['-I', '-S', script('compile_tree.py')], {
    cwd: tree,
    env: { PYTHONHASHSEED: '0', LC_ALL: 'C.UTF-8' },
    input: JSON.stringify({ root: tree, ...files, prefix }),
    timeoutMs: TIMEOUT_MS,
  });
  if (result.code !== 0)
    throw new InstallError(
      `bytecode: ${interpreter} ended with ${result.code ?? result.signal}: ${result.stderr.slice(-2000)}`,
    );
  return resultSchema.parse(JSON.parse(result.stdout));
}
