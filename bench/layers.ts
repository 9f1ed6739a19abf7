/**
 * Measures, on this machine and in one run, what the example's layers weigh and cost: built by `sam build`, and by
 * Plimsoll in both modes. Prints both sides and the ratios, as the table of the README.
 *
 * `sam build` needs two pins that the example does without: alone, ml-libraries resolves to a numpy and a scipy that it
 * cannot build for Lambda's Python 3.11.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listTree, totalBytes } from '../core/build/tree.ts';
import { findPython } from '../core/build/uv.ts';
import { writeZip } from '../core/build/zip.ts';
import { ROOT, STATE, TOOLS_PATH, UV } from '../local/paths.ts';

const SAM_VERSION = '1.170.0';
const RUNS = 7;
const LAYERS = ['core-data-science', 'ml-libraries', 'aws-utilities'];
const IMPORTS: Record<string, string> = {
  DataValidation: 'import json, os, boto3, numpy, pandas, dateutil.parser',
  FeatureEngineering: 'import numpy, pandas, scipy.stats, sklearn.preprocessing',
  Predictions:
    'import boto3, joblib, numpy, pandas, sklearn.ensemble, sklearn.pipeline, sklearn.preprocessing',
};

process.env['PATH'] = `${TOOLS_PATH}:${process.env['PATH']}`;
const work = mkdtempSync(join(tmpdir(), 'plimsoll-bench-'));

function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): { ms: number; stdout: string } {
  const begin = performance.now();
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 1e9,
    ...options,
    env: { ...process.env, ...options.env },
  });
  if (status !== 0)
    throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr.slice(-2000)}`);
  return { ms: performance.now() - begin, stdout };
}

function installSam(): string {
  const folder = join(STATE, 'sam', SAM_VERSION);
  const sam = join(folder, 'bin', 'sam');
  if (existsSync(sam)) return sam;
  console.error(`installing aws-sam-cli ${SAM_VERSION}`);
  run(UV, ['venv', '--quiet', '--python', '3.11', folder]);
  run(UV, [
    'pip',
    'install',
    '--quiet',
    '--python',
    join(folder, 'bin', 'python'),
    `aws-sam-cli==${SAM_VERSION}`,
  ]);
  return sam;
}

/** A copy of the example without what was built before. */
function copy(name: string): string {
  const folder = join(work, name);
  cpSync(join(ROOT, 'examples', 'item-prediction'), folder, {
    recursive: true,
    filter: (path) => !path.endsWith('.plimsoll'),
  });
  return folder;
}

interface Side {
  name: string;
  /** Folders that hold the packages, by layer. */
  paths: Map<string, string>;
  coldMs: number;
  againMs: number;
}

function buildWithSam(sam: string): Side {
  const project = copy('sam');
  writeFileSync(
    join(project, 'layers', 'ml-libraries', 'requirements.txt'),
    'scikit-learn==1.3.0\njoblib\nscipy==1.15.3\nnumpy==1.24.3\n',
  );
  const out = join(project, 'out');
  const args = ['build', '--cached', '--build-dir', out, '--cache-dir', join(project, 'cache')];
  const env = {
    SAM_CLI_TELEMETRY: '0',
    PATH: `${join(STATE, 'sam', SAM_VERSION, 'bin')}:${process.env['PATH']}`,
  };
  const coldMs = run(sam, args, { cwd: project, env }).ms;
  const againMs = run(sam, args, { cwd: project, env }).ms;
  const names = ['CoreDataScienceLayer', 'MlLibrariesLayer', 'AwsUtilitiesLayer'];
  return {
    name: 'sam build',
    coldMs,
    againMs,
    paths: new Map(LAYERS.map((layer, index) => [layer, join(out, names[index] ?? '', 'python')])),
  };
}

function buildWithPlimsoll(mode: string, lazy: boolean): Side {
  const project = copy(`${mode}-${lazy}`);
  writeFileSync(
    join(project, 'plimsoll.yaml'),
    `stackName: bench\noptimise: { mode: ${mode}, lazy: ${lazy} }\n`,
  );
  const args = [
    join(ROOT, 'bin', 'plimsoll.mjs'),
    'build',
    '--project',
    project,
    '--skip-validation',
    '--json',
  ];
  const coldMs = run(process.execPath, args).ms;
  const againMs = run(process.execPath, args).ms;
  const folder = (layer: string) => {
    const parent = join(project, '.plimsoll', 'build', 'layers', layer);
    return join(parent, readdirSync(parent)[0] ?? '', 'tree', 'python');
  };
  return {
    name: `plimsoll, ${mode}${lazy ? ', lazy' : ''}`,
    coldMs,
    againMs,
    paths: new Map(LAYERS.map((layer) => [layer, folder(layer)])),
  };
}

async function weigh({ paths }: Side): Promise<{ layers: number[]; zipped: number }> {
  const layers: number[] = [];
  let zipped = 0;
  for (const path of paths.values()) {
    const files = listTree(path);
    layers.push(totalBytes(files));
    zipped += (
      await writeZip(
        path,
        files.map((file) => file.path),
        join(work, 'weighed.zip'),
      )
    ).bytes;
  }
  return { layers, zipped };
}

/** Whether the page cache could be dropped, so that files are read from the disk. */
function dropPageCache(): boolean {
  try {
    spawnSync('sync');
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    return true;
  } catch {
    return false;
  }
}

const median = (values: number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Import times in ms by side and function, cold and warm, medians of interleaved runs. /opt is read-only, so no run leaves bytecode behind. */
function timeImports(
  sides: readonly Side[],
  python: string,
): { cold: number[][]; warm: number[][]; dropped: boolean } {
  const functions = Object.keys(IMPORTS);
  const cold = sides.map(() => functions.map((): number[] => []));
  const warm = sides.map(() => functions.map((): number[] => []));
  let dropped = true;
  for (let turn = 0; turn < RUNS; turn += 1) {
    for (const [side, { paths }] of sides.entries()) {
      for (const [index, name] of functions.entries()) {
        // In Lambda the interpreter is up before the first import, so its own start is not counted.
        const program = `import sys, time; sys.path[:0] = ${JSON.stringify([...paths.values()])}\nbegin = time.perf_counter()\n${IMPORTS[name]}\nprint(time.perf_counter() - begin)`;
        const importMs = () => Number(run(python, ['-I', '-S', '-B', '-c', program]).stdout) * 1000;
        dropped = dropPageCache() && dropped;
        cold[side]?.[index]?.push(importMs());
        warm[side]?.[index]?.push(importMs());
      }
    }
  }
  return { cold: cold.map((one) => one.map(median)), warm: warm.map((one) => one.map(median)), dropped };
}

const MB = (bytes: number) => (bytes / 1e6).toFixed(1);
const seconds = (ms: number) => (ms / 1000).toFixed(1);
const row = (title: string, cells: readonly string[]) => console.log(`| ${[title, ...cells].join(' | ')} |`);

async function main(): Promise<void> {
  mkdirSync(work, { recursive: true });
  const python = await findPython('3.11', work);
  const sides = [
    buildWithSam(installSam()),
    buildWithPlimsoll('rules', false),
    buildWithPlimsoll('traced', false),
    buildWithPlimsoll('traced', true),
  ];
  const weights = await Promise.all(sides.map(weigh));
  const imports = timeImports(sides, python);
  const ratio = (values: readonly number[], digits = 1) =>
    values.map(
      (value, side) =>
        `${value.toFixed(0)}${side === 0 ? '' : ` (${((values[0] ?? 0) / value).toFixed(digits)}x)`}`,
    );
  row(
    '',
    sides.map(({ name }) => name),
  );
  row(
    '---',
    sides.map(() => '---:'),
  );
  for (const [index, layer] of LAYERS.entries())
    row(
      `${layer}, MB`,
      weights.map(({ layers }) => MB(layers[index] ?? 0)),
    );
  row(
    'all layers, MB',
    weights.map(({ layers }) => MB(layers.reduce((sum, bytes) => sum + bytes, 0))),
  );
  row(
    'zipped, MB',
    weights.map(({ zipped }) => MB(zipped)),
  );
  row(
    'build, no cache of its own, s',
    sides.map(({ coldMs }) => seconds(coldMs)),
  );
  row(
    'build, nothing changed, s',
    sides.map(({ againMs }) => seconds(againMs)),
  );
  for (const [index, name] of Object.keys(IMPORTS).entries()) {
    row(
      `${name}: import ${imports.dropped ? 'cold' : 'cold (page cache kept)'}, ms`,
      ratio(imports.cold.map((one) => one[index] ?? 0)),
    );
    row(`${name}: import warm, ms`, ratio(imports.warm.map((one) => one[index] ?? 0)));
  }
}

try {
  await main();
} finally {
  rmSync(work, { recursive: true, force: true });
}
