// Brings everything that this checkout needs into git-ignored folders: node modules, a Python environment with the
// embedded AWS and uv, the uv of builds, and the bundles. Plain Node without dependencies, since it runs before there are any.
// Each part is skipped when the file that it follows from has not changed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitCodeOfError, explain, systemErrorIn } from '../core/system-errors.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const state = join(root, '.plimsoll');
const tools = join(state, 'tools');
const buildTools = join(state, 'build-tools');
const MIN_NODE = [20, 19];
const MIN_PYTHON = [3, 11];

/** Says what is missing and how to repair it, and ends: this is for people, not a stack trace. */
function stop(problem, remedy) {
  console.error(`setup: ${problem}\n  ${remedy}`);
  process.exit(2);
}

process.on('uncaughtException', (error) => {
  console.error(`setup: ${explain(error)}`);
  process.exit(exitCodeOfError(error));
});

function run(what, program, args, remedy) {
  const begin = performance.now();
  const result = spawnSync(program, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (result.status !== 0) {
    const said = `${result.stderr ?? ''}${result.stdout ?? ''}`.trim();
    const machine = result.error ?? systemErrorIn(said);
    if (machine) throw machine;
    stop(`${what} failed:\n${said.split('\n').slice(-12).join('\n')}`, remedy);
  }
  console.error(`setup: ${what} (${((performance.now() - begin) / 1000).toFixed(1)} s)`);
}

/** Runs `make` unless its inputs are the ones of the last time. */
function upToDate(name, inputs, output, make) {
  const hash = createHash('sha256').update(process.version);
  for (const input of inputs) hash.update(readFileSync(join(root, input)));
  const want = hash.digest('hex');
  const stamp = join(state, `${name}.stamp`);
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, 'utf8') === want) return;
  rmSync(stamp, { force: true });
  make();
  mkdirSync(state, { recursive: true });
  writeFileSync(stamp, want);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])) return;
  stop(
    `Node ${process.versions.node} is too old`,
    `Install Node ${MIN_NODE.join('.')} or newer: https://nodejs.org`,
  );
}

function findPython() {
  const program = 'import sys, venv, ensurepip; print(*sys.version_info[:2])';
  const tried = [];
  for (const name of ['python3.11', 'python3', 'python3.12', 'python3.13']) {
    const { status, stdout, stderr, error } = spawnSync(name, ['-c', program], { encoding: 'utf8' });
    if (error) continue;
    const [major, minor] = status === 0 ? stdout.trim().split(' ').map(Number) : [0, 0];
    if (major === MIN_PYTHON[0] && minor >= MIN_PYTHON[1]) return name;
    tried.push(
      `${name}: ${status === 0 ? stdout.trim().replace(' ', '.') : stderr.trim().split('\n').at(-1)}`,
    );
  }
  const seen = tried.length > 0 ? tried.join(', ') : 'there is none on the PATH';
  return stop(
    `no Python ${MIN_PYTHON.join('.')} or newer with venv (${seen})`,
    'Install Python 3.11, on Debian with its package python3-venv',
  );
}

const NETWORK =
  'Check the connection to the package registries (npm and PyPI), then run the same command again.';

checkNode();
const python = findPython();
upToDate('node-modules', ['package-lock.json'], join(root, 'node_modules', '.package-lock.json'), () =>
  run('node modules', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], NETWORK),
);
upToDate('tools', ['local/requirements.txt'], join(tools, 'bin', 'uv'), () => {
  rmSync(tools, { recursive: true, force: true });
  run('Python environment', python, ['-m', 'venv', tools], 'On Debian install the package python3-venv.');
  const pip = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--require-hashes',
    '-r',
    'local/requirements.txt',
  ];
  run('embedded AWS and uv', join(tools, 'bin', 'python'), pip, NETWORK);
});
// Builds run on CodeBuild's Linux, and download no tools: what they run is in the bundle, whatever this machine is.
upToDate('build-tools', ['buildspecs/requirements.txt'], buildTools, () => {
  rmSync(buildTools, { recursive: true, force: true });
  const pip = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--require-hashes',
    '--only-binary=:all:',
    '--platform=manylinux_2_17_x86_64',
    `--target=${buildTools}`,
    '--requirement=buildspecs/requirements.txt',
  ];
  run('uv for builds', join(tools, 'bin', 'python'), pip, NETWORK);
});
run('bundles', process.execPath, ['scripts/bundle.mjs'], 'Run "npx tsc --noEmit" to see what is wrong.');
