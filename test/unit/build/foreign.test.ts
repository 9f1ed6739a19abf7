import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { unpack } from '../../../core/build/unpack.ts';
import { type BuildEvents, decidedPlan, Workspace } from '../../../core/build/workspace.ts';
import { writeZip } from '../../../core/build/zip.ts';
import { loadProject } from '../../../core/project/project.ts';
import { planProject } from '../../../core/release/plan.ts';
import { ARTIFACT_LIMITS } from '../../../core/size/limits.ts';
import { BASE, type Files, writeProject } from '../../support/project.ts';

const NODE = {
  'functions/node/app.mjs': `import isNumber from 'is-number';
export const handler = async ({ n }) => ({ isNumber: isNumber(n) });
`,
  'functions/node/package.json':
    '{"name": "node", "version": "1.0.0", "dependencies": {"is-number": "7.0.0"}}\n',
  'functions/node/smoke/one.json': '{"event": {"n": 1}, "expect": {"isNumber": true}}\n',
};

const quiet: BuildEvents = { step: () => {}, done: () => {} };
const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** The base project with more resources and files. @param layers of its own function */
async function project(resources: string, files: Files, layers = '!Ref UtilsLayer'): Promise<string> {
  const template = BASE['template.yaml']?.replace('!Ref UtilsLayer', layers);
  const root = await writeProject({ ...BASE, 'template.yaml': `${template}${resources}`, ...files });
  folders.push(root);
  return root;
}

const plan = async (root: string) => planProject(await loadProject(root));

/** Builds all of a project. @returns what was built, by name */
async function build(root: string) {
  const folder = join(root, '.plimsoll');
  const decided = await decidedPlan(root, await plan(root), folder, () => {});
  const workspace = new Workspace(root, decided.plan, folder, quiet, decided.units);
  await workspace.layers();
  await workspace.functions();
  return workspace.artifacts;
}

const filesOf = (artifacts: Awaited<ReturnType<typeof build>>, name: string) =>
  artifacts.get(name)?.manifest.files.map(([path]) => path);

const NODE_FUNCTION = `  Node:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: functions/node/, Handler: app.handler, Runtime: nodejs22.x, Layers: [!Ref Shared] }
  Shared:
    Type: AWS::Serverless::LayerVersion
    Metadata: { BuildMethod: nodejs22.x }
    Properties: { ContentUri: layers/shared/, CompatibleRuntimes: [nodejs22.x] }
`;

const NATIVE = `  Native:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: dist/native.zip, Handler: bootstrap, Runtime: provided.al2023 }
`;

const MADE = `  Made:
    Type: AWS::Serverless::LayerVersion
    Metadata: { BuildMethod: makefile }
    Properties: { ContentUri: layers/made/ }
`;

describe('what others build', () => {
  it('goes through sam build: a function and a layer of Node.js, with their packages in the bill of materials', async () => {
    const root = await project(NODE_FUNCTION, {
      ...NODE,
      'layers/shared/package.json':
        '{"name": "shared", "version": "1.0.0", "dependencies": {"is-odd": "3.0.1"}}\n',
    });
    const artifacts = await build(root);
    expect(filesOf(artifacts, 'Node')).toEqual(
      expect.arrayContaining(['app.mjs', 'node_modules/is-number/index.js']),
    );
    expect(filesOf(artifacts, 'Node')).not.toContain('smoke/one.json');
    expect(filesOf(artifacts, 'shared')).toContain('nodejs/node_modules/is-odd/index.js');
    expect(artifacts.get('Node')?.manifest).toMatchObject({
      runtimes: ['nodejs22.x'],
      notes: ['built by sam build'],
    });
    const sbom = await readFile(join(artifacts.get('Node')?.folder ?? '', 'sbom.cdx.json'), 'utf8');
    expect(JSON.parse(sbom).components).toMatchObject([{ purl: 'pkg:npm/is-number@7.0.0' }]);
    // Ours beside it is trimmed and proven as ever.
    expect(artifacts.get('Hello')?.manifest.imports.map(({ module }) => module)).toEqual(['app']);
  });

  it('a layer made by make stands on the path where our functions are proven', async () => {
    const root = await project(
      MADE,
      {
        'layers/made/Makefile':
          'build-Made:\n\tmkdir -p "$(ARTIFACTS_DIR)/python"\n\techo "ANSWER = 42" > "$(ARTIFACTS_DIR)/python/made.py"\n',
        'functions/hello/app.py': `import made\n${BASE['functions/hello/app.py']}`,
      },
      '!Ref UtilsLayer, !Ref Made',
    );
    const artifacts = await build(root);
    expect(filesOf(artifacts, 'made')).toEqual(['python/made.py']);
  });

  it('says in the tool’s own words why it cannot be built', async () => {
    const root = await project(
      NODE_FUNCTION.replace(', Layers: [!Ref Shared]', '').replace(/ {2}Shared[\s\S]*/, ''),
      {
        ...NODE,
        'functions/node/package.json':
          '{"name": "node", "version": "1.0.0", "dependencies": {"is-number": "99.0.0"}}\n',
      },
    );
    await expect(build(root)).rejects.toMatchObject({
      name: 'SamBuildError',
      message: expect.stringMatching(
        /^Node: sam build failed: Error: .*No matching version found for is-number@99/s,
      ),
    });
  });

  it('an archive is taken as it is, executable bits included', async () => {
    const root = await project(NATIVE, { 'dist/native.zip': '' });
    const source = await mkdtemp(join(tmpdir(), 'plimsoll-native-'));
    folders.push(source);
    await writeFile(join(source, 'bootstrap'), '#!/bin/sh\n');
    await chmod(join(source, 'bootstrap'), 0o755);
    await writeFile(join(source, 'data'), 'x');
    await writeZip(source, ['bootstrap', 'data'], join(root, 'dist', 'native.zip'));
    const artifact = (await build(root)).get('Native');
    const unpacked = join(source, 'unpacked');
    const zip = join(artifact?.folder ?? '', 'function.zip');
    expect(await unpack(zip, unpacked, 'function.zip', ARTIFACT_LIMITS)).toEqual(['bootstrap', 'data']);
    expect((await stat(join(unpacked, 'bootstrap'))).mode & 0o111).not.toBe(0);
    expect((await stat(join(unpacked, 'data'))).mode & 0o111).toBe(0);
  });

  it('an archive that is no honest zip is refused', async () => {
    const root = await project(NATIVE, { 'dist/native.zip': 'this is none' });
    await expect(build(root)).rejects.toMatchObject({ name: 'UnsafeArchiveError' });
  });

  it('a link in what was built is refused, by name, as it would be missing', async () => {
    const root = await project(MADE, {
      'layers/made/Makefile': 'build-Made:\n\tln -s /etc/hostname "$(ARTIFACTS_DIR)/linked"\n',
    });
    await expect(build(root)).rejects.toMatchObject({
      name: 'UnsafeArchiveError',
      message: expect.stringContaining('holds the link linked'),
    });
  });
});

describe('the key of what others build', () => {
  const keyOf = async (root: string, name = 'Node') => {
    const { layers, functions } = await plan(root);
    return [...layers, ...functions].find((one) => one.name === name)?.key;
  };

  const SHARED = { 'layers/shared/package.json': '{"name": "shared", "version": "1.0.0"}\n' };

  it.each<[string, Files, boolean]>([
    ['its own code', { 'functions/node/app.mjs': 'export const handler = 1;\n' }, true],
    ['its smoke events', { 'functions/node/smoke/one.json': '{"event": {}}\n' }, false],
    [
      'code of another function',
      { 'functions/hello/app.py': 'def handler(event, context):\n    return 1\n' },
      false,
    ],
  ])('follows from %s: %#', async (_what, files, changes) => {
    const before = await keyOf(await project(NODE_FUNCTION, { ...NODE, ...SHARED }));
    const after = await keyOf(await project(NODE_FUNCTION, { ...NODE, ...SHARED, ...files }));
    expect(before !== after).toBe(changes);
  });

  it('of a layer of Node.js follows from its own folder', async () => {
    const before = await keyOf(await project(NODE_FUNCTION, { ...NODE, ...SHARED }), 'shared');
    const other = { 'functions/hello/app.py': 'def handler(event, context):\n    return 1\n' };
    expect(await keyOf(await project(NODE_FUNCTION, { ...NODE, ...SHARED, ...other }), 'shared')).toBe(
      before,
    );
    const own = { 'layers/shared/index.js': '1\n' };
    expect(await keyOf(await project(NODE_FUNCTION, { ...NODE, ...SHARED, ...own }), 'shared')).not.toBe(
      before,
    );
  });

  it('follows from the whole project where its manifest names another folder of it', async () => {
    const files = {
      ...NODE,
      ...SHARED,
      'functions/node/package.json':
        '{"name": "node", "version": "1.0.0", "dependencies": {"lib": "file:../../lib"}}\n',
    };
    const before = await keyOf(await project(NODE_FUNCTION, { ...files, 'lib/index.js': '1\n' }));
    expect(await keyOf(await project(NODE_FUNCTION, { ...files, 'lib/index.js': '2\n' }))).not.toBe(before);
  });
});
