import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plimsollIn } from '../support/command.ts';
import { BASE, changed, writeProject } from '../support/project.ts';

let project: string;
beforeAll(async () => {
  project = await writeProject({
    ...BASE,
    ...changed('functions/hello/app.py', 'import six', 'import six\nimport slow'),
    'layers/utils/python/slow.py': 'import time\ntime.sleep(0.02)\n',
  });
});
afterAll(() => rm(project, { recursive: true, force: true }));

const layers = (...args: string[]) => plimsollIn(project, 'layers', ...args);
const json = async (...args: string[]) => JSON.parse((await layers(...args, '--json')).stdout);

describe('plimsoll layers', () => {
  it('shows how they stand, before they are built, after, and when something has changed', async () => {
    expect(await json('status')).toMatchObject({
      layers: [{ layer: 'utils', state: 'not built', bytes: null }],
    });
    expect((await layers('status')).stdout).toContain('Next: plimsoll layers build');
    const built = await layers('build', 'utils');
    expect(built.code, built.stderr).toBe(0);
    expect(await json('status', 'utils')).toMatchObject({
      layers: [{ state: 'built', bytes: expect.any(Number), distributions: ['six 1.16.0'] }],
    });
    await writeFile(join(project, 'layers', 'utils', 'requirements.txt'), 'six==1.17.0\n');
    expect(await json('status')).toMatchObject({ layers: [{ state: 'changed since it was built' }] });
    await writeFile(join(project, 'layers', 'utils', 'requirements.txt'), 'six==1.16.0\n');
    expect(await json('status')).toMatchObject({ layers: [{ state: 'built' }] });
  });

  it('optimises: what each step took, and which imports cost much, with file and line', async () => {
    const { stdout, code } = await layers('optimize');
    expect(code).toBe(0);
    expect(stdout).toMatch(/utils +rules +\d+ +\d+\.\d kB/);
    expect(stdout).toMatch(/Hello +app\.py:5 +Hello +slow +\d+ ms/);
    expect(stdout).toContain('plimsoll layers optimize --lazy');
    const rules = await json('optimize', '--mode', 'rules');
    expect(rules).toMatchObject({ mode: 'rules', lazy: false, heavyImports: [] });
    expect((await layers('optimize', '--lazy')).stdout).toContain('optimise: { lazy: true }');
  });

  it('validates: budget, zip and imports, and says what to do', async () => {
    const fine = await layers('validate');
    expect(fine.code, fine.stderr).toBe(0);
    expect(fine.stdout).toMatch(/utils +\d+\.\d kB +intact +all/);
    await writeFile(join(project, 'plimsoll.yaml'), 'budgets: { layers: { utils: 1 kB } }\n');
    const over = await layers('validate');
    expect(over.code).toBe(1);
    expect(over.stderr).toMatch(/BudgetExceededError: utils over budget/);
    await writeFile(join(project, 'plimsoll.yaml'), '');
    const parent = join(project, '.plimsoll', 'build', 'layers', 'utils');
    await writeFile(join(parent, (await readdir(parent))[0] ?? '', 'layer.zip'), 'not what was built');
    const changedZip = await layers('validate');
    expect(changedZip.code).toBe(2);
    expect(changedZip.stderr).toMatch(
      /its zip is not what its manifest describes; .* plimsoll build --clean/,
    );
  });

  it('refuses a layer that the template does not have, and names those that it has', async () => {
    for (const what of ['build', 'optimize', 'validate', 'status']) {
      const { code, stderr } = await layers(what, 'nope');
      expect(code, what).toBe(2);
      expect(stderr).toContain('layer "nope": the template has no such one; it has utils');
    }
  });
});

describe('plimsoll layers compose', () => {
  it('proposes layers by what the functions really use, beside the split of today', async () => {
    const fn = (name: string) => `  ${name}:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: ${name}/, Handler: app.handler, Runtime: python3.11, Layers: [!Ref AllLayer] }
`;
    const app = (module: string) =>
      `import ${module}\n\ndef handler(event, context):\n    return {"ok": True}\n`;
    const root = await writeProject({
      'template.yaml': `Transform: AWS::Serverless-2016-10-31
Resources:
  AllLayer:
    Type: AWS::Serverless::LayerVersion
    Metadata: { BuildMethod: python3.11 }
    Properties: { ContentUri: all/ }
${fn('One')}${fn('Two')}`,
      'all/requirements.txt': 'python-dateutil==2.8.2\nattrs==23.1.0\nidna==3.7\n',
      'One/app.py': app('dateutil.parser'),
      'One/smoke/a.json': '{"event": {}}',
      'Two/app.py': app('attr'),
      'Two/smoke/a.json': '{"event": {}}',
    });
    try {
      const unbuilt = await plimsollIn(root, 'layers', 'compose');
      expect(unbuilt.code).toBe(2);
      expect(unbuilt.stderr).toContain('run: plimsoll build');
      expect((await plimsollIn(root, 'build')).code).toBe(0);
      const { proposed, today, idle } = JSON.parse(
        (await plimsollIn(root, 'layers', 'compose', '--json')).stdout,
      );
      const split = (layers: { pieces: { name: string }[]; functions: string[] }[]) =>
        layers.map(({ pieces, functions }) => [
          functions.join(),
          pieces
            .map(({ name }) => name)
            .sort()
            .join(),
        ]);
      expect(split(today)).toEqual([['One,Two', 'attrs,idna,python-dateutil,six']]);
      // dateutil says that it needs six.
      expect(split(proposed).sort()).toEqual([
        ['One', 'python-dateutil,six'],
        ['Two', 'attrs'],
      ]);
      expect(idle).toEqual(['idna']);
      const { stdout } = await plimsollIn(root, 'layers', 'compose');
      expect(stdout).toMatch(/The functions would mount \d+\.\d [kM]B less together/);
      expect(stdout).toContain('No smoke event of any function uses idna.');
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});
