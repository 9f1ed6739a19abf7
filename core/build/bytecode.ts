import { z } from 'zod';
import { InstallError } from '../errors.ts';
import { systemErrorIn } from '../system-errors.mjs';
import { run } from './run.ts';
import { script } from './scripts.ts';

const answerSchema = z.record(
  z.string(),
  z.union([
    z.object({
      bytes: z.int(),
      now: z.array(z.string()),
      later: z.array(z.string()),
      deferred: z.array(z.int()),
      looks: z.boolean(),
    }),
    z.object({ skipped: z.string() }),
  ]),
);
/** Python 3.11 and newer; older ones know no columns, and ignore it. */
const NO_COLUMNS = ['-X', 'no_debug_ranges'];
const TIMEOUT_MS = 10 * 60_000;

/** What became of one Python file: its bytecode's size, what it imports and on which lines it does so later, or why it does not compile. */
export type Compiled = z.infer<typeof answerSchema>[string];

/** What a module loads only when it is used. */
export const lazySchema = z.object({
  /** Lines of its import statements. */
  lines: z.array(z.int()),
  /** Of a package: modules in it that it would load itself, but for deferred imports: it answers for them. */
  seen: z.array(z.string()),
  /** Of a package: modules in it that others would load. It answers for them, too, and does not list them. */
  hidden: z.array(z.string()),
  /** What the file's deferred imports would load in packages that are not ours to change, by package. */
  outside: z.record(z.string(), z.array(z.string())),
});
export type Lazy = z.infer<typeof lazySchema>;

export interface SourceFile {
  /** Relative to the tree. */
  path: string;
  /** Where the bytecode goes, relative to `out`. */
  to: string;
  /** Whether docstrings stay. */
  docstrings: boolean;
  /** Whether the hook is put at its end. */
  hook: boolean;
  /** Where the file lies, if not below the tree any more. */
  source?: string;
  lazy?: Lazy;
}

export interface CompileJob {
  interpreter: string;
  tree: string;
  out: string;
  /** Folder of the tree at run time, for tracebacks. */
  prefix: string;
  files: readonly SourceFile[];
  /** A line of Python, put at the end of the files that ask for it. */
  hook: string;
  /** Whether bytecode knows columns, which mark the place within a line in the traceback of a file whose source is there. */
  columns: boolean;
  /** Whether to look for imports, too; paths must then be relative to the folder that is on the path. */
  imports: boolean;
  /** Whether to leave out files that load nothing later than they would anyway. @default false */
  deferredOnly?: boolean;
}

/** Where bytecode stands that replaces its source. */
export const sourceless = (path: string): string => `${path}c`;

/** Where bytecode stands beside its source (PEP 3147). @param python minor version, such as 3.11 */
export function beside(path: string, python: string): string {
  const slash = path.lastIndexOf('/') + 1;
  const name = path.slice(slash, -'.py'.length);
  return `${path.slice(0, slash)}__pycache__/${name}.cpython-${python.replace('.', '')}.pyc`;
}

/** The source that a file of bytecode was made from; any other path is itself. */
export function sourceOf(path: string): string {
  if (!path.endsWith('.pyc')) return path;
  const [, folder = '', name] = /^(.*\/)?__pycache__\/([^/]+)\.[^./]+\.pyc$/.exec(path) ?? [];
  return name === undefined ? path.slice(0, -1) : `${folder}${name}.py`;
}

/**
 * Compiles Python files to unchecked-hash bytecode. /opt and /var/task are read-only, so a file without
 * valid bytecode is compiled anew at every cold start; a time stamp would be stale after zipping.
 * The interpreter must be of the runtime's own minor version. Sources stay as they are.
 * @returns by path @throws InstallError where the compiler itself fails; Error of the operating system where a file cannot be read or written
 */
export async function compileFiles(job: CompileJob): Promise<Map<string, Compiled>> {
  const { interpreter, tree, columns, deferredOnly = false, ...rest } = job;
  if (job.files.length === 0) return new Map();
  const result = await run(
    interpreter,
    ['-I', '-S', '-B', ...(columns ? [] : NO_COLUMNS), script('compile_files.py')],
    {
      cwd: tree,
      env: { PYTHONHASHSEED: '0', LC_ALL: 'C.UTF-8' },
      input: JSON.stringify({ root: tree, deferredOnly, ...rest }),
      timeoutMs: TIMEOUT_MS,
    },
  );
  if (result.code !== 0) {
    const how = `${result.code ?? result.signal}: ${result.stderr.slice(-2000)}`;
    throw systemErrorIn(result.stderr) ?? new InstallError(`bytecode: ${interpreter} ended with ${how}`);
  }
  return new Map(Object.entries(answerSchema.parse(JSON.parse(result.stdout))));
}
