import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { plimsollIn } from '../support/command.ts';
import { cloned, fixtures } from '../support/fixtures.ts';

const fixture = fixtures.find(({ name }) => name === 'events');
let project: string;
beforeAll(async () => {
  if (!fixture) throw new Error('there is no fixture "events"');
  project = cloned(fixture);
  await rm(join(project, 'hello', 'smoke'), { recursive: true });
});
const events = (...args: string[]) => plimsollIn(project, 'events', ...args);
const file = (name: string) => join(project, 'hello', 'smoke', name);

describe('plimsoll events', () => {
  it('asks for a build first', async () => {
    const { code, stderr } = await events();
    expect(code).toBe(2);
    expect(stderr).toMatch(/is not built as it is now; run: plimsoll build/);
  });

  it('writes those that the function answers, and says why it leaves others out', async () => {
    const built = await plimsollIn(project, 'build');
    expect(built.code, built.stderr).toBe(0);
    expect(built.stdout).toContain('Make some: plimsoll events');
    const shown = await events('--dry-run');
    expect(shown.code, shown.stderr).toBe(0);
    expect(shown.stdout).toMatch(/hello\/smoke\/get\.json +new/);
    expect(existsSync(file('get.json'))).toBe(false);
    const { stdout } = await events();
    expect(stdout).toMatch(/hello\/smoke\/event\.json +written/);
    expect(stdout).toMatch(/hello\/smoke\/get\.json +written/);
    expect(stdout).toContain("Left out: Hello, nightly: the handler raises KeyError: 'pathParameters'");
    expect(JSON.parse(readFileSync(file('get.json'), 'utf8'))).toMatchObject({
      event: { resource: '/hello/{name}', pathParameters: { name: 'name' } },
    });
    expect(existsSync(file('nightly.json'))).toBe(false);
  });

  it('writes over nothing that is there, and the next build traces with it', async () => {
    const before = readFileSync(file('get.json'), 'utf8');
    const built = await plimsollIn(project, 'build');
    expect(built.stdout).not.toContain('plimsoll events');
    const { code, stdout } = await events('--json');
    expect(code).toBe(0);
    const found = JSON.parse(stdout) as { events: { name: string; state: string }[] };
    expect(found.events.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'event there',
      'get there',
      'nightly left out',
    ]);
    expect(readFileSync(file('get.json'), 'utf8')).toBe(before);
  });
});
