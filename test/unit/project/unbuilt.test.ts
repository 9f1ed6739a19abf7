import { rm } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { loadProject } from '../../../core/project/project.ts';
import { rejectUnbuilt, withoutUnbuilt, withStubs } from '../../../core/project/unbuilt.ts';
import { planProject } from '../../../core/release/plan.ts';
import { writeProject } from '../../support/project.ts';

const roots: string[] = [];
afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true, force: true });
});

const TEMPLATE = `Transform: AWS::Serverless-2016-10-31
Resources:
  Plain:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: plain, Handler: app.handler, Runtime: python3.11 }
  Image:
    Type: AWS::Serverless::Function
    Properties:
      PackageType: Image
      ImageConfig: { Command: [app.handler] }
      MemorySize: 512
      Events: { Get: { Type: Api, Properties: { Path: /x, Method: get } } }
    Metadata: { Dockerfile: Dockerfile, DockerContext: ./image }
  Pushed:
    Type: AWS::Serverless::Function
    Properties: { PackageType: Image, ImageUri: '1.dkr.ecr.us-east-1.amazonaws.com/x:1' }
  Java:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: java, Handler: a.B, Runtime: java21 }
  Node:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: node, Handler: a.b, Runtime: nodejs22.x }
`;

async function load() {
  const root = await writeProject({
    'template.yaml': TEMPLATE,
    'plain/app.py': 'def handler(e, c): return 1\n',
    'java/pom.xml': '<project/>',
    'node/package.json': '{}',
  });
  roots.push(root);
  return loadProject(root);
}
const idsOf = (all: readonly { logicalId: string }[]) => all.map(({ logicalId }) => logicalId);

describe('what a machine cannot build', () => {
  it('is left out by name, and the rest is built', async () => {
    const project = withoutUnbuilt(await load(), (tool) => tool === 'npm');
    expect(project.unbuilt).toEqual([
      { logicalId: 'Image', why: 'a container image that is still to be built' },
      { logicalId: 'Java', why: 'java21 is built by mvn or gradle, which this machine does not have' },
    ]);
    expect(idsOf(project.functions)).toEqual(['Plain', 'Node']);
    expect(idsOf((await planProject(project)).functions)).toEqual(['Plain', 'Node']);
  });

  it('is built where the tools are there', async () => {
    const project = withoutUnbuilt(await load(), () => true);
    expect(idsOf(project.functions)).toEqual(['Plain', 'Java', 'Node']);
    expect(idsOf(project.unbuilt)).toEqual(['Image']);
  });

  it('is a reason not to release in an account, with the next step', async () => {
    const project = await load();
    expect(() => rejectUnbuilt(project)).toThrow(
      'template.yaml: Image is a container image that is still to be built\n  Build and push it, and give its ImageUri.',
    );
  });

  it('answers that it was not built, under its own name and with all that refers to it', async () => {
    const project = withoutUnbuilt(await load(), () => false);
    const { Resources } = withStubs(project.template.document, project.unbuilt, '') as {
      Resources: Record<string, { Properties: Record<string, unknown>; Metadata?: unknown }>;
    };
    expect(Resources['Image']?.Metadata).toBeUndefined();
    expect(Resources['Image']?.Properties).toEqual({
      MemorySize: 512,
      Events: { Get: { Type: 'Api', Properties: { Path: '/x', Method: 'get' } } },
      PackageType: 'Zip',
      Handler: 'index.handler',
      Runtime: 'python3.12',
      InlineCode: expect.stringContaining('Image was not built: a container image'),
    });
    expect(Resources['Plain']).toEqual((project.template.document['Resources'] as typeof Resources)['Plain']);
    expect(Resources['Pushed']?.Properties['ImageUri']).toMatch(/^1\.dkr/);
    const nested = withStubs({ Resources: { Image: {} } }, [{ logicalId: 'Data.Image', why: 'x' }], 'Data.');
    expect(nested['Resources']).toMatchObject({ Image: { Properties: { PackageType: 'Zip' } } });
  });
});
