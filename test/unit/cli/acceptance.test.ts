import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeBrokenExample } from '../../../cli/acceptance/broken-example.ts';
import { acceptanceCost } from '../../../cli/acceptance/cost.ts';
import { belongsTo, exampleStackOf, isAcceptanceName, newName } from '../../../cli/acceptance/name.ts';
import { costTable, removalResults } from '../../../cli/show/acceptance.ts';
import { pipelineNameSchema } from '../../../core/release/pipeline-name.ts';
import { stackNameSchema } from '../../../core/release/release.ts';
import { PYTHON, ROOT } from '../../../local/paths.ts';

const EXAMPLE = join(ROOT, 'examples', 'item-prediction');

describe('the name of an acceptance', () => {
  it('is one that a pipeline may have, and its example’s one that a stack may have', () => {
    const name = newName();
    expect(isAcceptanceName(name)).toBe(true);
    expect(pipelineNameSchema.safeParse(name).success).toBe(true);
    expect(stackNameSchema.safeParse(exampleStackOf(name)).success).toBe(true);
    // The pipeline's role is denied what begins as the pipeline does.
    expect(exampleStackOf(name).startsWith(`${name}-`)).toBe(false);
  });

  it.each([
    'Plimsoll',
    'PlimsollAccept',
    'PlimsollAccept1a2b3',
    'PlimsollAccept1a2b3c4',
    'PlimsollAccept1a2b3c-x',
    '',
  ])('is never "%s", so that nothing of others can be removed by it', (name) =>
    expect(isAcceptanceName(name)).toBe(false),
  );

  it('tells what belongs to it from what does not', () => {
    const name = 'PlimsollAccept1a2b3c';
    const own = [name, `${name}-deploy`, 'plimsollaccept1a2b3c-storagesources-x', exampleStackOf(name)];
    expect(own.filter((one) => !belongsTo(name, one))).toEqual([]);
    const foreign = [
      'Plimsoll',
      'Plimsoll-deploy',
      'PlimsollAccept1a2b3cd-x',
      `my-${name}-x`,
      'PlimsollAccept000000-x',
    ];
    expect(foreign.filter((one) => belongsTo(name, one))).toEqual([]);
  });
});

describe('the cost of an acceptance', () => {
  it('is the sum of published prices, each with its source, and their date is told', () => {
    const cost = acceptanceCost();
    expect(cost.total).toBeCloseTo(cost.lines.reduce((sum, { usd }) => sum + usd, 0));
    // Ten build minutes at a cent each are most of it.
    expect(cost.total).toBeGreaterThan(0.1);
    expect(cost.total).toBeLessThan(1);
    for (const { source } of cost.lines)
      expect(source).toMatch(/^https:\/\/aws\.amazon\.com\/\w[\w-]*\/pricing\/$/);
    const text = costTable(cost);
    expect(text).toContain(cost.date);
    expect(text).toContain('us-east-1');
    expect(text).toMatch(/all +US\$ 0\.\d\d/);
  });
});

describe('the broken version of the example', () => {
  it('is Python that starts, and differs where a request comes through the API alone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'plimsoll-test-broken-'));
    try {
      await writeBrokenExample(EXAMPLE, join(folder, 'example'));
      const file = join('functions', 'predictions', 'app.py');
      const before = await readFile(join(EXAMPLE, file), 'utf8');
      const after = await readFile(join(folder, 'example', file), 'utf8');
      expect(after.split('\n').filter((line) => !before.split('\n').includes(line))).toEqual([
        '    if "requestContext" in event:',
        '        return answer(500, {"message": "broken on purpose"})',
      ]);
      const compiled = spawnSync(PYTHON, ['-m', 'py_compile', join(folder, 'example', file)]);
      expect(compiled.status).toBe(0);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('the end of a removal', () => {
  const left = [{ what: 'buckets', ids: ['one', 'two'] }];
  it.each([
    ['all removed', { failures: [], left: [] }, ['passed', 'passed']],
    ['something left', { failures: [], left }, ['passed', 'failed']],
    [
      'something that nobody may list',
      { failures: ['looking for roles: denied'], left: [] },
      ['failed', 'failed'],
    ],
  ])('with %s', (_title, removal, verdicts) => {
    const results = removalResults({ removed: new Map([['stacks', 2]]), ...removal }, 1);
    expect(results.map(({ verdict }) => verdict)).toEqual(verdicts);
    if (removal.left.length > 0) expect(results[1]?.found).toBe('buckets one, two');
    if (removal.failures.length > 0) expect(results[1]?.found).not.toMatch(/^no stack/);
  });
});
