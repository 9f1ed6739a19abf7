import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { onlyOthersBring } from '../../../core/build/others.ts';
import { decidedPlan, Workspace } from '../../../core/build/workspace.ts';
import { loadProject } from '../../../core/project/project.ts';
import { planProject } from '../../../core/release/plan.ts';
import { writeProject } from '../../support/project.ts';

const roots: string[] = [];
afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true, force: true });
});

const template = (more: string) => `Transform: AWS::Serverless-2016-10-31
Parameters: { Tools: { Type: 'AWS::SSM::Parameter::Value<String>', Default: /tools/arn } }
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: hello
      Runtime: python3.11
      ${more}
`;
const ARN = "Layers: [!Sub 'arn:aws:lambda:${AWS::Region}:017000801446:layer:Powertools:7']";
const EVENT = {
  'hello/smoke/one.json': '{"event": {}}',
  'hello/requirements.txt': 'python-dateutil==2.8.2\nsix==1.16.0\n',
};

async function build(more: string, files: Readonly<Record<string, string>>) {
  const root = await writeProject({ 'template.yaml': template(more), ...EVENT, ...files });
  roots.push(root);
  const work = join(root, '.plimsoll');
  const planned = await planProject(await loadProject(root));
  const { plan, units } = await decidedPlan(root, planned, work, () => {});
  const workspace = new Workspace(root, plan, work, { step: () => {}, done: () => {} }, units);
  await workspace.functions();
  const manifest = workspace.artifacts.get('Hello')?.manifest;
  return {
    notes: manifest?.notes,
    trace: manifest?.steps.find(({ step }) => step === 'trace'),
    files: manifest?.files.map(([path]) => path),
    imports: manifest?.imports.map(({ module }) => module),
  };
}

describe('a function with a layer that others have built', () => {
  it.each([
    ['by its ARN', ARN],
    ['by a parameter', 'Layers: [!Ref Tools]'],
    ['by an export', 'Layers: [!ImportValue tools]'],
    ['by a dynamic reference', "Layers: ['{{resolve:ssm:/tools/arn}}']"],
  ])(
    'is built though it needs what only that can bring, and nothing of it is traced away: %s',
    async (_how, layers) => {
      const { notes, trace, files } = await build(`Handler: app.handler\n      ${layers}`, {
        'hello/app.py': 'import aws_lambda_powertools\nimport dateutil.tz\ndef handler(e, c): return 1\n',
      });
      expect(notes).toContain(
        'function Hello: app was not checked, since it needs aws_lambda_powertools, which only a layer of others can bring',
      );
      expect(trace?.note).toMatch(/^Hello: .*, so it does not show all that it needs$/);
      expect(files).toContain('dateutil/rrule.pyc');
    },
  );

  it('is not built where it needs what its own packages should bring', async () => {
    await expect(
      build(`Handler: app.handler\n      ${ARN}`, {
        'hello/app.py': 'import dateutil.nothing_like_this\ndef handler(e, c): return 1\n',
      }),
    ).rejects.toThrow(/No module named 'dateutil.nothing_like_this'/);
  });

  it('may have its handler there: what the wrapper calls is proven', async () => {
    const wrapped = `Handler: datadog_lambda.handler.handler
      ${ARN}
      Environment: { Variables: { DD_LAMBDA_HANDLER: app.handler } }`;
    const app = { 'hello/app.py': 'import dateutil.tz\ndef handler(e, c): return 1\n' };
    const { imports, trace, files } = await build(wrapped, app);
    expect(imports).toContain('app');
    expect(trace?.note).toBe(
      'Hello: its handler is in a layer of others, so nobody has seen all that it needs',
    );
    expect(files).toContain('dateutil/rrule.pyc');
    await expect(build(wrapped, { 'hello/app.py': 'import dateutil.gone\n' })).rejects.toThrow(
      /dateutil\.gone/,
    );
  });
});

it.each([
  ["ModuleNotFoundError: No module named 'datadog_lambda'", ['app'], 'datadog_lambda'],
  ["ModuleNotFoundError: No module named 'a.b'", ['app'], 'a'],
  ["ModuleNotFoundError: No module named 'numpy.core'", ['numpy', 'app'], undefined],
  ["ImportError: cannot import name 'x' from 'y'", [], undefined],
  ['', [], undefined],
])('of %j beside %j only others bring %s', (error, own, expected) =>
  expect(onlyOthersBring(error, own)).toBe(expected),
);
