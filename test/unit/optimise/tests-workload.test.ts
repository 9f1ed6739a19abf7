import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { decidedPlan } from '../../../core/build/workspace.ts';
import { ProjectError } from '../../../core/errors.ts';
import { loadProject } from '../../../core/project/project.ts';
import { planProject } from '../../../core/release/plan.ts';
import { BASE, type Files, writeProject } from '../../support/project.ts';

let root = '';
afterEach(() => rm(root, { recursive: true, force: true }));

const TEST = `import sys
sys.path.insert(0, "functions/hello")

def test_hello():
    import os
    os.environ["GREETING"] = "hi"
    import app
    from dateutil.easter import easter
    assert app.handler({}, None)["statusCode"] == 200 and easter(2026).month == 4
`;

async function decide(files: Files) {
  root = await writeProject({
    ...BASE,
    'layers/utils/requirements.txt': 'six==1.16.0\npython-dateutil==2.8.2\n',
    'functions/hello/smoke/you.json': undefined,
    ...files,
  });
  const planned = await planProject(await loadProject(root));
  const { plan } = await decidedPlan(root, planned, join(root, '.plimsoll'), () => {});
  return { mode: plan.mode, decisions: plan.layers[0]?.decisions };
}

describe('tests of the project', () => {
  it('show what it needs, with what they need themselves: pytest', async () => {
    const { mode, decisions } = await decide({
      'plimsoll.yaml':
        'optimise:\n  test: { run: [pytest, -q, -p, "no:cacheprovider", tests], requirements: tests/requirements.txt }\n',
      'tests/test_app.py': TEST,
      'tests/requirements.txt': 'pytest==8.3.3\n',
    });
    expect(mode).toBe('traced');
    expect(decisions?.remove).toContain('dateutil/rrule.py');
    expect(decisions?.remove).not.toContain('dateutil/easter.py');
  });

  it('that fail show nothing: what rules name goes, and no more', async () => {
    const { decisions } = await decide({
      'plimsoll.yaml': 'optimise: { test: { run: [unittest, discover, -s, tests] } }\n',
      'tests/test_app.py':
        'import unittest\nclass T(unittest.TestCase):\n    def test(self): self.fail("as it should")\n',
    });
    expect(decisions?.remove).not.toContain('dateutil/rrule.py');
    expect(decisions?.steps.find(({ step }) => step === 'trace')?.note).toMatch(
      /^tests: tests ends with RuntimeError/,
    );
  });

  it.each([
    ['optimise: { test: { run: [] } }', 'optimise.test.run'],
    ['optimise: { test: { run: [unittest], requirements: ../other.txt } }', 'optimise.test.requirements'],
    ['optimise: { test: unittest }', 'optimise.test'],
  ])('must be named as they are run: %s', async (text, key) => {
    const failed = decide({ 'plimsoll.yaml': `${text}\n` });
    await expect(failed).rejects.toThrow(ProjectError);
    await expect(failed).rejects.toThrow(`plimsoll.yaml: ${key}`);
  });
});
