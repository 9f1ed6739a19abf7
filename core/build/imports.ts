import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Installed } from './install.ts';
import { run } from './run.ts';
import { script } from './scripts.ts';
import { IMPORT_LIMIT_MS, Watch } from './watch.ts';

const TIMEOUT_MS = 5 * 60_000;

export interface ImportResult {
  module: string;
  /** Wall time of this import, what it pulls in included. */
  ms: number;
  /** undefined where it imports. */
  error?: string;
  /**
   * `import` where a module or a library is missing; `certain` where the module's own code fails wherever it runs; `other`
   * where it failed, and what is only here may be the reason.
   */
  kind?: 'import' | 'certain' | 'other';
}

export interface ImportRequest {
  interpreter: string;
  /** Folders on the path, the only ones beside the standard library. */
  paths: readonly string[];
  modules: readonly string[];
  /** Environment of the function, as far as it is known. */
  environment?: Readonly<Record<string, string>>;
  /** Called now and then while one import takes long. */
  onSlow?: ((module: string, ms: number) => void) | undefined;
}

/** What module code may rely on in Lambda; credentials that work nowhere, and no way to ask for others. */
export const LAMBDA_ENVIRONMENT = {
  PATH: '/usr/local/bin:/usr/bin:/bin',
  LC_ALL: 'C.UTF-8',
  AWS_REGION: 'us-east-1',
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'import-check',
  AWS_SECRET_ACCESS_KEY: 'import-check',
  AWS_EC2_METADATA_DISABLED: 'true',
};

interface Line {
  module: string;
  started?: true;
  ms?: number;
  error?: string | null;
  kind?: ImportResult['kind'] | null;
}

/** Imports modules one after the other in a clean interpreter that sees the given folders and nothing else. */
export async function importModules(request: ImportRequest): Promise<ImportResult[]> {
  if (request.modules.length === 0) return [];
  const home = await mkdtemp(join(tmpdir(), 'plimsoll-import-'));
  const watch = new Watch({ limitOf: () => IMPORT_LIMIT_MS, onSlow: request.onSlow });
  try {
    const result = await run(request.interpreter, ['-I', '-S', '-B', script('import_modules.py')], {
      cwd: home,
      env: { ...LAMBDA_ENVIRONMENT, ...request.environment, HOME: home },
      input: JSON.stringify({ paths: request.paths, modules: request.modules }),
      timeoutMs: TIMEOUT_MS,
      onLine: watch.line,
    });
    const lines = result.stdout
      .split('\n')
      .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Line] : []));
    const reached = new Set(lines.map(({ module }) => module));
    const ended = new Map(lines.flatMap((line) => (line.started ? [] : [[line.module, line] as const])));
    return request.modules.map((module): ImportResult => {
      const done = ended.get(module);
      if (!done) {
        const how = result.signal ? `signal ${result.signal}` : `code ${result.code}`;
        return {
          module,
          ms: 0,
          kind: 'import',
          error: reached.has(module)
            ? watch.expired === module
              ? notEnded(IMPORT_LIMIT_MS)
              : `the interpreter ended with ${how}`
            : `not reached: the interpreter ended with ${how} before. ${result.stderr.slice(-500)}`,
        };
      }
      return {
        module,
        ms: done.ms ?? 0,
        ...(done.error ? { error: done.error, kind: done.kind ?? 'other' } : {}),
      };
    });
  } finally {
    watch.end();
    await rm(home, { recursive: true, force: true });
  }
}

/** Of an attempt that was ended. */
export const notEnded = (ms: number): string =>
  `has not ended after ${ms / 1000} s; Lambda gives a function 10 s to start, then its time-out`;

/** A package or module at the top of a distribution: a folder with __init__, a .py file, or a compiled module. */
const TOP_LEVEL =
  /^(?:([A-Za-z_]\w*)\/__init__\.(?:py|pyc)|([A-Za-z_]\w*)\.py|([A-Za-z_]\w*)\.(?:cpython-[\w-]+|abi3)\.so)$/;

/** The modules that one installed distribution puts at the top of the tree. */
export function topLevelModules(installed: Pick<Installed, 'files'>): string[] {
  const names = installed.files.flatMap((path) => {
    const match = TOP_LEVEL.exec(path);
    return match?.[1] ?? match?.[2] ?? match?.[3] ?? [];
  });
  return [...new Set(names)].sort();
}
