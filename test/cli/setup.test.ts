import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../../local/paths.ts';

let checkout: string;
let programs: string;
beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'plimsoll-setup-'));
  programs = join(checkout, 'programs');
  mkdirSync(programs);
  const needed = ['scripts/setup.mjs', 'core/system-errors.mjs', 'package.json', 'package-lock.json'];
  for (const file of [...needed, 'local/requirements.txt']) cpSync(join(ROOT, file), join(checkout, file));
});
afterEach(() => rmSync(checkout, { recursive: true, force: true }));

/** A program that fails, or answers, as a fault of the machine would have it. */
function program(name: string, script: string): void {
  writeFileSync(join(programs, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(programs, name), 0o755);
}

function setup(...nodeOptions: string[]) {
  const { status, stderr } = spawnSync(process.execPath, [...nodeOptions, 'scripts/setup.mjs'], {
    cwd: checkout,
    encoding: 'utf8',
    env: { PATH: programs },
  });
  return { status, stderr };
}

describe('the set-up says what is missing, and how to repair it', () => {
  it('where Node is too old', () => {
    const old =
      "data:text/javascript,Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.0' } })";
    const { status, stderr } = setup('--import', old);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^setup: Node 18\.20\.0 is too old\n {2}Install Node 20\.19 or newer/);
  });

  it('where there is no Python, one that is too old, or one without venv', () => {
    expect(setup()).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(
        /no Python 3\.11 or newer with venv \(there is none on the PATH\)\n {2}Install Python/,
      ),
    });
    program('python3', 'echo 3 8');
    expect(setup().stderr).toContain('python3: 3.8');
    program('python3', 'echo "ModuleNotFoundError: No module named venv" >&2; exit 1');
    expect(setup().stderr).toContain('No module named venv');
  });

  it('where there is no network', () => {
    program('python3', 'echo 3 11');
    program('npm', 'echo "npm error code ENOTFOUND" >&2; exit 1');
    const { status, stderr } = setup();
    expect(status).toBe(2);
    expect(stderr).toMatch(/setup: node modules failed:\nnpm error code ENOTFOUND\n {2}Check the connection/);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  it('where its folder is a file', () => {
    program('python3', 'echo 3 11');
    program('npm', 'mkdir -p node_modules; echo {} > node_modules/.package-lock.json');
    symlinkSync('/bin/mkdir', join(programs, 'mkdir'));
    writeFileSync(join(checkout, '.plimsoll'), '');
    const { status, stderr } = setup();
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^setup: .*\/\.plimsoll: a file stands where a folder is needed \(ENOTDIR\)\.\n {2}Remove or rename the file\.\n$/,
    );
  });

  it('where the disk is full', () => {
    program('python3', 'echo 3 11');
    program(
      'npm',
      `echo "npm error code ENOSPC" >&2; echo "npm error nospc ENOSPC: no space left on device, write" >&2; exit 1`,
    );
    const { status, stderr } = setup();
    expect(status).toBe(2);
    expect(stderr).toMatch(/no space is left on its file system \(ENOSPC\)\.\n {2}Free some space/);
  });

  it('and begins again where it was', () => {
    program(
      'python3',
      'case "$1" in -c) echo 3 11;; *) mkdir -p .plimsoll/tools/bin; printf "#!/bin/sh\\necho no such host >&2\\nexit 1\\n" > .plimsoll/tools/bin/python; /bin/chmod +x .plimsoll/tools/bin/python;; esac',
    );
    program('npm', 'mkdir -p node_modules; echo {} > node_modules/.package-lock.json');
    symlinkSync('/bin/mkdir', join(programs, 'mkdir'));
    const first = setup();
    expect(first.stderr).toMatch(/setup: node modules \(.*embedded AWS and uv failed:\nno such host/s);
    const second = setup();
    expect(second.stderr).not.toContain('setup: node modules');
    expect(second.stderr).toContain('embedded AWS and uv failed');
  });
});
