import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../local/paths.ts';
import { cloned, fixtures } from '../support/fixtures.ts';

const run = promisify(execFile);

describe('a project that strangers could have written', () => {
  it.each(fixtures.filter(({ isLong }) => !isLong))('is built as it is: $name', async (fixture) => {
    const cwd = cloned(fixture);
    const options = { cwd, env: { ...process.env, NO_COLOR: '1' }, maxBuffer: 1e8 };
    const { stdout } = await run(process.execPath, [join(ROOT, 'bin', 'plimsoll.mjs'), 'build'], options);
    for (const text of fixture.says.filter((one) => !/^Not (released|called|created)/.test(one)))
      expect(stdout).toContain(text);
  });
});

describe('what a requirement names of these projects', () => {
  it('has its fixture', () => {
    const points = fixtures.flatMap((one) => one.points);
    const wanted = Array.from({ length: 13 }, (_, index) => `15.${index + 1}`);
    expect(wanted.filter((point) => !points.includes(point))).toEqual([]);
    expect(fixtures.length).toBeGreaterThanOrEqual(16);
    expect(readFileSync(join(ROOT, 'package.json'), 'utf8')).toContain('test:projects');
  });
});
