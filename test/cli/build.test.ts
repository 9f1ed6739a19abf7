import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plimsollIn } from '../support/command.ts';
import { BASE, writeProject } from '../support/project.ts';

let project: string;
beforeAll(async () => {
  project = await writeProject(BASE);
});
afterAll(() => rm(project, { recursive: true, force: true }));

const plimsoll = (command: string, ...args: string[]) => plimsollIn(project, command, ...args);
const build = (...args: string[]) => plimsoll('build', ...args);

interface Report {
  artifacts: { kind: string; name: string; folder: string; reused: boolean; zip: { sha256: string } }[];
}

describe('plimsoll build', () => {
  it('builds layers and functions without any AWS, and uses them again', async () => {
    const first = JSON.parse((await build('--json')).stdout) as Report;
    expect(first.artifacts.map(({ kind, name, reused }) => [kind, name, reused])).toEqual([
      ['layer', 'utils', false],
      ['function', 'Hello', false],
    ]);
    for (const { folder, kind } of first.artifacts)
      expect(existsSync(join(folder, `${kind}.zip`))).toBe(true);
    const second = JSON.parse((await build('--json')).stdout) as Report;
    expect(second.artifacts.map(({ reused }) => reused)).toEqual([true, true]);
    const clean = JSON.parse((await build('--json', '--clean')).stdout) as Report;
    expect(clean.artifacts.map(({ zip, reused }) => [zip.sha256, reused])).toEqual(
      first.artifacts.map(({ zip }) => [zip.sha256, false]),
    );
  });

  it('leaves the functions out with --layers-only', async () => {
    const { artifacts } = JSON.parse((await build('--json', '--layers-only')).stdout) as Report;
    expect(artifacts.map(({ name }) => name)).toEqual(['utils']);
  });

  it('prints a plain table, and what was removed with --verbose', async () => {
    const { stdout, code } = await build('--verbose');
    expect(code).toBe(0);
    expect(stdout).toMatch(/layer +utils +\d+\.\d kB/);
    expect(stdout).toContain("The installer's list of files");
    expect(stdout).not.toContain('\u001b[');
  });

  it('is weighed by plimsoll size, once it is built', async () => {
    const check = await plimsoll('size', 'check', '--verbose');
    expect(check.code, check.stderr).toBe(0);
    expect(check.stdout).toMatch(/layer +utils .*\n/);
    expect(check.stdout).toMatch(/six +\d+\.\d kB +\d+ %/);
    expect(check.stdout).toMatch(/All \d+ budgets and limits hold\./);
    const report = JSON.parse((await plimsoll('size', 'report', '--format', 'json')).stdout);
    expect(report.artifacts.map(({ name }: { name: string }) => name)).toEqual(['utils', 'Hello']);
    await writeFile(join(project, 'layers', 'utils', 'requirements.txt'), 'six==1.17.0\n');
    const stale = await plimsoll('size', 'check');
    expect(stale.code).toBe(2);
    expect(stale.stderr).toContain('is not built as it is now; run: plimsoll build');
    await writeFile(join(project, 'layers', 'utils', 'requirements.txt'), 'six==1.16.0\n');
  });

  it('ends with 1 over a budget, unless the check is skipped', async () => {
    await writeFile(join(project, 'plimsoll.yaml'), 'budgets: { total: 1 kB }\n');
    const failed = await build();
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/BudgetExceededError: whole release is .* over its budget of 0\.001 MB/);
    expect((await build('--skip-validation')).code).toBe(0);
    const check = await plimsoll('size', 'check');
    expect(check.code).toBe(1);
    expect(check.stderr).toContain('BudgetExceededError: whole release is');
    expect((await plimsoll('size', 'report')).code).toBe(0);
  });
});
