import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findPython } from '../../../core/build/uv.ts';
import { decidedPlan, Workspace } from '../../../core/build/workspace.ts';
import { loadProject } from '../../../core/project/project.ts';
import { planProject, withProcessors } from '../../../core/release/plan.ts';
import { writeProject } from '../../support/project.ts';

const fn = (name: string, runtime: string, more = '') => `  ${name}:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: ${name.toLowerCase()}, Handler: app.handler, Runtime: ${runtime}${more} }
`;
const layer = (name: string, more = '') => `  ${name}:
    Type: AWS::Serverless::LayerVersion
    Properties: { ContentUri: ${name.toLowerCase()} }
    Metadata: { BuildMethod: python3.11${more} }
`;
const TEMPLATE = `Transform: AWS::Serverless-2016-10-31
Resources:
${fn('Old', 'python3.10', ', Layers: [!Ref Shared]')}${fn('New', 'python3.12', ', Layers: [!Ref Shared, !Ref Arrays]')}${fn('Arm', 'python3.12', ', Architectures: [arm64]')}${layer('Shared')}${layer('Arrays')}`;
const APP = `import sys, six
def handler(event, context):
    return {'version': '.'.join(map(str, sys.version_info[:2])), 'six': six.__version__}
`;
const event = (version: string) => JSON.stringify({ event: {}, expect: { version, six: '1.16.0' } });

async function build(files: Readonly<Record<string, string>> = {}) {
  const root = await writeProject({
    'template.yaml': TEMPLATE,
    'old/app.py': APP,
    'old/smoke/one.json': event('3.10'),
    'new/app.py': `import numpy\n${APP}`,
    'new/smoke/one.json': event('3.12'),
    'arm/app.py': 'import orjson\ndef handler(event, context): return orjson.dumps({}).decode()\n',
    'arm/requirements.txt': 'orjson==3.10.15\n',
    'arm/smoke/one.json': '{"event": {}}',
    'shared/requirements.txt': 'six==1.16.0\n',
    'arrays/requirements.txt': 'numpy==2.1.3\n',
    ...files,
  });
  const work = join(root, '.plimsoll');
  const planned = await planProject(await loadProject(root));
  const { plan, units } = await decidedPlan(root, planned, work, () => {});
  const workspace = new Workspace(root, plan, work, { step: () => {}, done: () => {} }, units);
  await workspace.layers();
  await workspace.functions();
  const artifact = (name: string) => workspace.artifacts.get(name);
  return {
    plan,
    artifact,
    libraries: (name: string) => join(artifact(name)?.folder ?? '', 'tree', 'python'),
  };
}

const found = await Promise.all(['3.10', '3.12'].map((version) => findPython(version, tmpdir()))).then(
  () => true,
  () => false,
);

describe('a project whose functions run on different Pythons and processors', () => {
  it('is built and proven, each artifact for what uses it', async ({ skip }) => {
    skip(!found, 'no Python 3.10 or 3.12 on this machine');
    const { plan, artifact, libraries } = await build();
    expect(plan.mode).toBe('traced');
    expect(plan.layers.map(({ name, target, runtimes }) => [name, target.python, runtimes])).toEqual([
      ['shared', '3.10', ['python3.10', 'python3.12']],
      ['arrays', '3.12', ['python3.12']],
    ]);
    // What one Python has compiled, the other cannot read.
    expect(await readdir(libraries('shared'))).toContain('six.py');
    expect(await readdir(libraries('arrays'))).toContain('numpy');
    expect(await readdir(join(libraries('arrays'), 'numpy'))).toContain('__init__.pyc');
    const here = withProcessors(plan, ['x86_64']).functions;
    expect(here.map(({ idle }) => idle)).toEqual([
      undefined,
      undefined,
      'Lambda here runs x86_64, not arm64',
    ]);
    expect(artifact('Old')?.manifest.imports.map(({ module }) => module)).toContain('app');
    expect(artifact('New')?.manifest.imports.map(({ module }) => module)).toContain('app');
    expect(artifact('Arm')?.manifest).toMatchObject({
      architectures: ['arm64'],
      imports: [],
      notes: ['imports not checked: this machine is x86_64, the artifact is for arm64'],
    });
    expect(artifact('Arm')?.manifest.steps.find(({ step }) => step === 'trace')?.note).toBe(
      'this machine cannot run code for arm64',
    );
  });

  it('is not built where one of them lacks something, on its own Python', async ({ skip }) => {
    skip(!found, 'no Python 3.10 or 3.12 on this machine');
    await expect(build({ 'old/app.py': `import tomllib\n${APP}` })).rejects.toThrow(
      /function Old: .*No module named 'tomllib'/,
    );
  });
});
