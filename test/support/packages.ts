import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../../core/build/manifest.ts';
import { decidedPlan, Workspace } from '../../core/build/workspace.ts';
import { loadProject } from '../../core/project/project.ts';
import { planProject } from '../../core/release/plan.ts';
import { writeProject } from './project.ts';

const template = (runtime: string, architecture: string) => `Transform: AWS::Serverless-2016-10-31
Resources:
  AllLayer:
    Type: AWS::Serverless::LayerVersion
    Metadata: { BuildMethod: ${runtime} }
    Properties: { ContentUri: layer/ }
  Use:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: use/
      Handler: app.handler
      Runtime: ${runtime}
      Architectures: [${architecture}]
      Layers: [!Ref AllLayer]
`;

export interface Built {
  layer: Manifest;
  steps: string[];
}

/** Builds a project of one layer and one function, workloads and proofs included. */
export async function build(
  requirements: string,
  app: string,
  runtime = 'python3.11',
  architecture = 'x86_64',
): Promise<Built> {
  const root = await writeProject({
    'template.yaml': template(runtime, architecture),
    'layer/requirements.txt': requirements,
    'use/app.py': app,
    'use/smoke/all.json': '{"event": {"n": 3}, "expect": {"ok": true}}',
  });
  try {
    const folder = join(root, '.plimsoll');
    const planned = await planProject(await loadProject(root));
    const steps: string[] = [];
    const { plan, units } = await decidedPlan(root, planned, folder, (step) => steps.push(step));
    const workspace = new Workspace(root, plan, folder, { step: () => {}, done: () => {} }, units);
    await workspace.layers();
    await workspace.functions();
    const layer = workspace.artifacts.get('all')?.manifest;
    if (!layer) throw new Error('no layer was built');
    return { layer, steps };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
