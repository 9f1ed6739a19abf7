/**
 * Measures how the time of a build grows with the number of files in one function: 12,500, 25,000 and 50,000, half of them
 * modules of Python. Beside it, in the same run, what has to be done at least: copying, compiling and zipping them with
 * Python's own library. Prints both sides.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../local/paths.ts';

const COUNTS = [12_500, 25_000, 50_000];
const PER_FOLDER = 250;

const TEMPLATE = `AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Resources:
  Many:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: many, Handler: app.handler, Runtime: python3.11 }
`;

const BASELINE = `import compileall, shutil, sys, zipfile, os
source, target = sys.argv[1:]
shutil.copytree(source, target)
compileall.compile_dir(target, quiet=2, workers=0)
with zipfile.ZipFile(target + ".zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for folder, _, names in os.walk(target):
        for name in names:
            path = os.path.join(folder, name)
            archive.write(path, os.path.relpath(path, target))
`;

function projectOf(count: number, root: string): void {
  for (let at = 0; at < count; at += 1) {
    const folder = join(root, 'many', 'data', `part${Math.floor(at / PER_FOLDER)}`);
    if (at % PER_FOLDER === 0) mkdirSync(folder, { recursive: true });
    if (at % 2 === 0)
      writeFileSync(join(folder, `m${at}.py`), `VALUE = ${at}\n\n\ndef value():\n    return VALUE\n`);
    else writeFileSync(join(folder, `d${at}.txt`), `${at} `.repeat(20));
  }
  writeFileSync(join(root, 'many', 'app.py'), 'def handler(event, context):\n    return {"ok": True}\n');
  writeFileSync(join(root, 'template.yaml'), TEMPLATE);
}

/** Seconds. */
function timed(program: string, args: readonly string[]): number {
  const begin = performance.now();
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  return (performance.now() - begin) / 1000;
}

const work = mkdtempSync(join(tmpdir(), 'plimsoll-bench-files-'));
try {
  const python = join(ROOT, '.plimsoll', 'tools', 'bin', 'python3.11');
  const rows = COUNTS.map((count) => {
    const root = join(work, String(count));
    projectOf(count, root);
    const baseline = timed(python, ['-c', BASELINE, join(root, 'many'), join(work, `copy-${count}`)]);
    const build = timed(process.execPath, [
      join(ROOT, 'bin', 'plimsoll.mjs'),
      'build',
      '--clean',
      '--project',
      root,
    ]);
    return {
      files: count,
      'copy, compile, zip (s)': baseline.toFixed(1),
      'plimsoll build (s)': build.toFixed(1),
      ratio: (build / baseline).toFixed(2),
      'ms a file': ((build / count) * 1000).toFixed(2),
    };
  });
  console.table(rows);
} finally {
  rmSync(work, { recursive: true, force: true });
}
