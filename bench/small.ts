/**
 * Measures what a release of five small functions without layers costs on the embedded AWS: the first one ever, a second one
 * with one function changed, and one with nothing changed. Beside each, in the same run, what the real `sam build` takes for the
 * same sources, where SAM names it: SAM=/path/to/sam npm run bench:small
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../local/paths.ts';

const NAMES = ['One', 'Two', 'Three', 'Four', 'Five'];

function writeProject(root: string): void {
  const resources = NAMES.map((name) => {
    mkdirSync(join(root, name));
    writeFileSync(
      join(root, name, 'app.py'),
      `import json\n\n\ndef handler(event, context):\n    return {"name": "${name}"}\n`,
    );
    return `  ${name}:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: ${name}, Handler: app.handler, Runtime: python3.11 }
`;
  });
  const template = `Transform: AWS::Serverless-2016-10-31\nResources:\n${resources.join('')}`;
  writeFileSync(join(root, 'template.yaml'), template);
}

/** Runs a program in a folder. @returns its seconds and what it printed */
function timed(cwd: string, program: string, ...args: string[]): { seconds: number; output: string } {
  const begin = performance.now();
  const output = execFileSync(program, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { seconds: (performance.now() - begin) / 1000, output };
}

const work = mkdtempSync(join(tmpdir(), 'plimsoll-bench-small-'));
const project = join(work, 'five');
const sam = process.env['SAM'];

function row(release: string) {
  const state = join(work, 'state');
  const program = join(ROOT, 'bin', 'plimsoll.mjs');
  const { seconds, output } = timed(
    project,
    process.execPath,
    program,
    'deploy',
    '--local',
    '--state',
    state,
  );
  return {
    release,
    'plimsoll deploy --local (s)': seconds.toFixed(1),
    'of it, the state machine (s)': / in ([\d.]+) s; /.exec(output)?.[1] ?? '-',
    'sam build (s)': sam === undefined ? '-' : timed(project, sam, 'build').seconds.toFixed(1),
  };
}

try {
  mkdirSync(project);
  writeProject(project);
  const first = row('first');
  appendFileSync(join(project, 'Three', 'app.py'), '# changed\n');
  console.table([first, row('one function changed'), row('nothing changed')]);
} finally {
  rmSync(work, { recursive: true, force: true });
}
