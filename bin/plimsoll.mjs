#!/usr/bin/env node
// Starts the command line in a process group of its own, and sees to it that nothing it has started outlives the command,
// however it ends: when the command line is gone, its group and all that bears its mark are killed here; when this process is
// gone, the command line notices (cli/main.ts) and does so itself.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { killMarked, MARK } from '../core/left-behind.mjs';
import { exitCodeOfError, explain } from '../core/system-errors.mjs';

process.on('uncaughtException', (error) => {
  console.error(`plimsoll: ${explain(error)}`);
  process.exit(exitCodeOfError(error));
});

const bundle = new URL('../dist/cli/plimsoll.mjs', import.meta.url);
if (!existsSync(bundle)) {
  console.error('plimsoll: the command line is not built yet\n  Run: node scripts/setup.mjs');
  process.exit(2);
}

const remove = (folder) => {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    // Another user's, or somebody writes there still: the next command removes it.
  }
};

const isRunning = (pid) => {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code !== 'ESRCH';
  }
};

/**
 * A folder for all temporary files of this command, named after this process. Those of commands that were killed are
 * removed. Undefined where none can be made: the command line says why.
 */
function temporaryFolder() {
  try {
    for (const name of readdirSync(tmpdir())) {
      const [, pid] = /^plimsoll-(\d+)-/.exec(name) ?? [];
      if (pid !== undefined && !isRunning(Number(pid))) remove(join(tmpdir(), name));
    }
    return mkdtempSync(join(tmpdir(), `plimsoll-${process.pid}-`));
  } catch {
    return undefined;
  }
}

const temporary = temporaryFolder();
// The pinned uv of the checkout comes first, so that a build does not depend on the machine's own.
const tools = fileURLToPath(new URL('../.plimsoll/tools/bin', import.meta.url));
const mark = randomUUID();
const child = spawn(process.execPath, [fileURLToPath(bundle), ...process.argv.slice(2)], {
  env: {
    ...process.env,
    [MARK]: mark,
    ...(temporary && { TMPDIR: temporary }),
    PATH: `${tools}${delimiter}${process.env.PATH}`,
  },
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  detached: true,
});

const killAll = () => {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
  killMarked(mark);
};

// A terminal sends Ctrl-C here alone, since the command line is in another session. The second one ends it at once.
let isEnding = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (isEnding && signal === 'SIGINT') killAll();
    else child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
    isEnding = true;
  });
}

child.on('error', (error) => {
  throw error;
});
child.on('exit', (code, signal) => {
  killAll();
  if (temporary) remove(temporary);
  if (signal && process.stderr.isTTY) process.stderr.write('\u001b[?25h');
  // As a shell says of a program that a signal has ended.
  process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
});
