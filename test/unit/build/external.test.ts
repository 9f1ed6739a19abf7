import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { measureAll } from '../../../cli/measure.ts';
import { planIn } from '../../../cli/open-build.ts';
import { decidedPlan, Workspace } from '../../../core/build/workspace.ts';
import { writeZip } from '../../../core/build/zip.ts';
import { loadProject } from '../../../core/project/project.ts';
import { writeProject } from '../../support/project.ts';

const roots: string[] = [];
afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true, force: true });
});

const ARN = 'arn:aws:lambda:us-east-1:017000801446:layer:Tools:7';

const template = (more: string, layers = `[${ARN}]`) => `Transform: AWS::Serverless-2016-10-31
Parameters: { Tools: { Type: 'AWS::SSM::Parameter::Value<String>', Default: /tools/arn } }
Resources:
  Own:
    Type: AWS::Serverless::LayerVersion
    Properties: { ContentUri: own, CompatibleRuntimes: [python3.11] }
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: hello
      Runtime: python3.11
      Layers: ${layers}
      ${more}
`;
const APP = 'import theirs\ndef handler(e, c): return theirs.NAME\n';
const EVENT = { 'hello/smoke/one.json': '{"event": {}, "expect": "theirs"}' };
const THEIRS = { 'layers/theirs/python/theirs.py': 'NAME = "theirs"\n' };

async function build(files: Readonly<Record<string, string>>) {
  const root = await writeProject({
    'template.yaml': template('Handler: app.handler'),
    'own/python/own.py': 'NAME = "own"\n',
    'hello/app.py': APP,
    ...EVENT,
    ...files,
  });
  roots.push(root);
  return buildIn(root);
}

async function buildIn(root: string) {
  const work = join(root, '.plimsoll');
  const planned = await planIn(await loadProject(root), work);
  const { plan, units } = await decidedPlan(root, planned, work, () => {});
  const workspace = new Workspace(root, plan, work, { step: () => {}, done: () => {} }, units);
  await workspace.layers();
  await workspace.functions();
  const manifest = workspace.artifacts.get('Hello')?.manifest;
  return {
    root,
    plan,
    notes: manifest?.notes ?? [],
    trace: manifest?.steps.find(({ step }) => step === 'trace'),
    files: manifest?.files.map(([path]) => path) ?? [],
    imports: manifest?.imports.map(({ module }) => module),
    report: await measureAll(plan, workspace),
  };
}

describe('what stands in the place of a layer of others', () => {
  it.each([
    ['its ARN', `'${ARN}'`, `[${ARN}]`],
    ['its ARN without the version', "'arn:aws:lambda:us-east-1:017000801446:layer:Tools'", `[${ARN}]`],
    ['the parameter that gives it', 'Tools', '[!Ref Tools]'],
    ['the export that gives it', 'their-tools', '[!ImportValue their-tools]'],
  ])('is found by %s, proven with, and not shipped', async (_how, key, layers) => {
    const { notes, files, imports, trace, plan } = await build({
      'template.yaml': template('Handler: app.handler', layers),
      'plimsoll.yaml': `external: { ${key}: layers/theirs }\n`,
      ...THEIRS,
    });
    expect(notes.join()).not.toContain('not checked');
    expect(trace?.note).toBeUndefined();
    expect(imports).toContain('app');
    expect(files.filter((path) => path.includes('theirs'))).toEqual([]);
    expect(plan.externals).toMatchObject([{ bytes: 16, from: { folder: 'layers/theirs' } }]);
  });

  it('fails the build where the function cannot work with it', async () => {
    const broken = build({
      'plimsoll.yaml': `external: { '${ARN}': layers/theirs }\n`,
      'layers/theirs/python/theirs.py': 'raise ImportError("no libtheirs.so")\n',
    });
    await expect(broken).rejects.toThrow('no libtheirs.so');
  });

  it('may be a zip, or a requirements file', async () => {
    const root = await writeProject({
      'template.yaml': template('Handler: app.handler'),
      'own/python/own.py': '',
      'hello/app.py': 'import six\ndef handler(e, c): return six.__version__\n',
      'hello/smoke/one.json': '{"event": {}, "expect": "1.16.0"}',
      'plimsoll.yaml': `external: { '${ARN}': theirs.txt }\n`,
      'theirs.txt': 'six==1.16.0\n',
    });
    roots.push(root);
    const listed = await buildIn(root);
    expect(listed.notes.join()).not.toContain('not checked');
    expect(listed.files).not.toContain('six.py');
    const zipped = await writeProject({
      'template.yaml': template('Handler: app.handler'),
      'own/python/own.py': '',
      'hello/app.py': APP,
      ...EVENT,
      'plimsoll.yaml': `external: { '${ARN}': theirs.zip }\n`,
      ...THEIRS,
    });
    roots.push(zipped);
    await writeZip(join(zipped, 'layers/theirs'), ['python/theirs.py'], join(zipped, 'theirs.zip'));
    expect((await buildIn(zipped)).notes.join()).not.toContain('not checked');
  });

  it('stands where the list has it: a later layer counts before an earlier one', async () => {
    const both = {
      'own/python/both.py': 'NAME = "own"\n',
      'layers/theirs/python/both.py': 'NAME = "theirs"\n',
      'hello/app.py': 'import both\ndef handler(e, c): return both.NAME\n',
      'plimsoll.yaml': `external: { '${ARN}': layers/theirs }\n`,
    };
    const note = async (layers: string, expected: string) => {
      const { trace } = await build({
        ...both,
        'template.yaml': template('Handler: app.handler', layers),
        'hello/smoke/one.json': JSON.stringify({ event: {}, expect: expected }),
      });
      return trace?.note;
    };
    expect(await note(`[!Ref Own, ${ARN}]`, 'theirs')).toBeUndefined();
    expect(await note(`[${ARN}, !Ref Own]`, 'own')).toBeUndefined();
    expect(await note(`[${ARN}, !Ref Own]`, 'theirs')).toContain('answer is "own", expected "theirs"');
  });

  it('counts toward what Lambda takes for a function with its layers', async () => {
    const { report } = await build({
      'plimsoll.yaml': `external: { '${ARN}': layers/theirs }\n`,
      ...THEIRS,
      'layers/theirs/python/data.bin': 'x'.repeat(1_000_000),
    });
    const whole = report.checks.find(({ subject }) => subject === 'function Hello with its layers');
    expect(whole?.actual).toBeGreaterThan(1_000_000);
    expect(report.total).toBeLessThan(1_000_000);
  });

  it.each([
    [
      'names nothing',
      `external: { '${ARN}': layers/gone }`,
      /plimsoll\.yaml: external: layers\/gone, in the place of .*Tools:7: there is no such file/,
    ],
    [
      'is for a layer that nobody uses',
      'external: { Tolls: layers/theirs }',
      /plimsoll\.yaml: external\.Tolls: no function uses a layer of that name/,
    ],
    ['is neither', `external: { '${ARN}': hello/app.py }`, /neither a zip, nor a folder, nor a \.txt/],
    ['leads out', `external: { '${ARN}': ../theirs }`, /external\..*a file or folder of the project/],
  ])('is refused where it %s', async (_what, config, message) => {
    await expect(build({ 'plimsoll.yaml': `${config}\n` })).rejects.toThrow(message);
  });
});

describe('a wrapper in a layer of others', () => {
  it.each([
    ['datadog_lambda.handler.handler', 'DD_LAMBDA_HANDLER', 'datadog_lambda/handler'],
    ['newrelic_lambda_wrapper.handler', 'NEW_RELIC_LAMBDA_HANDLER', 'newrelic_lambda_wrapper'],
    ['lumigo_tracer._handler', 'LUMIGO_ORIGINAL_HANDLER', 'lumigo_tracer'],
  ])('%s runs the function that %s names, and both are proven', async (handler, variable, path) => {
    const name = handler.slice(handler.lastIndexOf('.') + 1);
    const wrapper = `import importlib, os
module, _, function = os.environ["${variable}"].rpartition(".")
inner = getattr(importlib.import_module(module), function)
def ${name}(event, context): return inner(event, context)
`;
    const { imports, notes, trace } = await build({
      'template.yaml': template(
        `Handler: ${handler}\n      Environment: { Variables: { ${variable}: app.handler } }`,
      ),
      'plimsoll.yaml': `external: { '${ARN}': layers/theirs }\n`,
      ...THEIRS,
      [`layers/theirs/python/${path}.py`]: wrapper,
    });
    expect(imports).toEqual(expect.arrayContaining(['app', path.replace('/', '.')]));
    expect(notes.join()).not.toContain('not checked');
    expect(trace?.note).toBeUndefined();
  });

  it('that AWS_LAMBDA_EXEC_WRAPPER names changes nothing of the handler', async () => {
    const { imports } = await build({
      'template.yaml': template(
        'Handler: app.handler\n      Environment: { Variables: { AWS_LAMBDA_EXEC_WRAPPER: /opt/otel-instrument } }',
      ),
      'plimsoll.yaml': `external: { '${ARN}': layers/theirs }\n`,
      ...THEIRS,
    });
    expect(imports).toContain('app');
  });
});
