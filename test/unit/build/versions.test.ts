import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveSets } from '../../../core/build/resolve.ts';
import { decidedPlan, Workspace } from '../../../core/build/workspace.ts';
import { loadProject } from '../../../core/project/project.ts';
import { planProject } from '../../../core/release/plan.ts';
import { clashes, heldBy, ownVersions, whyMerged } from '../../../core/release/versions.ts';
import { writeProject } from '../../support/project.ts';

const fn = (name: string, layers: readonly string[]) => `  ${name}:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ${name.toLowerCase()}
      Handler: app.handler
      Runtime: python3.11
      Layers: [${layers.map((layer) => `!Ref ${layer}`).join(', ')}]
`;
const layer = (name: string) => `  ${name}:
    Type: AWS::Serverless::LayerVersion
    Properties: { ContentUri: ${name.toLowerCase()} }
    Metadata: { BuildMethod: python3.11 }
`;
const template = (functions: Readonly<Record<string, readonly string[]>>) => {
  const layers = [...new Set(Object.values(functions).flat())];
  const resources = [...Object.entries(functions).map(([name, own]) => fn(name, own)), ...layers.map(layer)];
  return `Transform: AWS::Serverless-2016-10-31\nResources:\n${resources.join('')}`;
};

/** What is installed, as a program learns it. */
const app = (...names: string[]) => `from importlib.metadata import version
${names.map((name) => `import ${name}`).join('\n')}
def handler(event, context):
    return {name: version(name) for name in ${JSON.stringify(names)}}
`;
const event = (versions: Readonly<Record<string, string>>) => JSON.stringify({ event: {}, expect: versions });

const plan = async (files: Readonly<Record<string, string>>) =>
  planProject(await loadProject(await writeProject(files)));

async function build(files: Readonly<Record<string, string>>) {
  const root = await writeProject(files);
  const planned = await planProject(await loadProject(root));
  const work = join(root, '.plimsoll');
  const decided = await decidedPlan(root, planned, work, () => {});
  const workspace = new Workspace(
    root,
    decided.plan,
    work,
    { step: () => {}, done: () => {} },
    decided.units,
  );
  await workspace.layers();
  await workspace.functions();
  const artifact = (name: string) => workspace.artifacts.get(name);
  return {
    plan: decided.plan,
    carried: (name: string) =>
      artifact(name)?.manifest.distributions.map((one) => `${one.name} ${one.version}`),
    notes: (name: string) => artifact(name)?.manifest.notes ?? [],
    files: (name: string) => readdir(join(artifact(name)?.folder ?? '', 'tree', 'python')),
  };
}

describe('a function that pins what its layer leaves open', () => {
  it('gets one version with the layer', async () => {
    const { layers, functions } = await plan({
      'template.yaml': template({ One: ['Shared'] }),
      'one/app.py': app('idna'),
      'one/requirements.txt': 'idna==3.6\n',
      'shared/requirements.txt': 'idna\n',
    });
    expect(layers[0]?.distributions).toMatchObject([{ name: 'idna', version: '3.6' }]);
    expect(functions[0]?.distributions).toEqual([]);
  });
});

describe('a function whose requirements its layer cannot meet', () => {
  const files = {
    'template.yaml': template({ One: ['Shared'], Two: ['Shared'] }),
    'one/app.py': app('idna', 'requests', 'urllib3'),
    'one/requirements.txt': 'idna==3.6\nrequests==2.31.0\n',
    'one/smoke/one.json': event({ idna: '3.6', requests: '2.31.0', urllib3: '2.0.7' }),
    'two/app.py': app('idna'),
    'two/smoke/one.json': event({ idna: '3.7' }),
    'shared/requirements.txt': 'idna==3.7\nurllib3==2.0.7\ncertifi==2023.7.22\n',
  };
  it('carries its own, and takes from the layer what fits; what that costs is said', async () => {
    const { plan: built, carried, notes } = await build(files);
    expect(built.mode).toBe('traced');
    expect(carried('One')).toEqual([
      expect.stringMatching(/^charset-normalizer /),
      'idna 3.6',
      'requests 2.31.0',
    ]);
    expect(carried('Two')).toEqual([]);
    expect(carried('shared')).toEqual(['certifi 2023.7.22', 'idna 3.7', 'urllib3 2.0.7']);
    expect(notes('One')).toContainEqual(
      expect.stringMatching(
        /^function One: idna 3\.6 \(\d+\.\d [kM]B installed\) is packaged with the function; layer shared has 3\.7$/,
      ),
    );
    expect(notes('Two').filter((note) => note.includes('idna'))).toEqual([]);
  });

  it('keeps its place in a plan that is made again', async () => {
    const [one, again] = [await plan(files), await plan(files)];
    expect(again.functions.map(({ key }) => key)).toEqual(one.functions.map(({ key }) => key));
  });
});

describe('layers that hold a distribution in two versions', () => {
  const SIX = (version: string) => event({ six: version });
  it('are built, and the later one in a function’s list counts', async () => {
    const { carried, notes, files } = await build({
      'template.yaml': template({ Up: ['Older', 'Newer'], Down: ['Newer', 'Older'], Only: ['Older'] }),
      'up/app.py': app('six', 'idna'),
      'up/smoke/one.json': event({ six: '1.16.0', idna: '3.7' }),
      'down/app.py': app('six'),
      'down/smoke/one.json': SIX('1.15.0'),
      'only/app.py': app('six'),
      'only/smoke/one.json': SIX('1.15.0'),
      'older/requirements.txt': 'six==1.15.0\nidna==3.7\n',
      'newer/requirements.txt': 'six==1.16.0\nidna\n',
    });
    // The one takes over what both can have in the same version.
    expect(carried('older')).toEqual(['idna 3.7', 'six 1.15.0']);
    expect(carried('newer')).toEqual(['six 1.16.0']);
    expect(notes('Up')).toContain(
      'function Up: six 1.16.0 is used; a later layer overrides 1.15.0 of layer older',
    );
    expect(notes('Down')).toContain(
      'function Down: six 1.15.0 is used; a later layer overrides 1.16.0 of layer newer',
    );
    expect(notes('Only')).toEqual([]);
    // Sources of the one and bytecode of the other, in one folder, would be read in the wrong order.
    expect(await files('older')).toContain('six.py');
    expect(await files('newer')).toContain('six.py');
  });
});

describe('the versions that count', () => {
  const one = (name: string, version: string) => ({ name, version, hashes: [], via: [] });
  const older = { name: 'older', distributions: [one('six', '1.15.0'), one('idna', '3.7')] };
  const newer = { name: 'newer', distributions: [one('six', '1.16.0')] };
  const differing = { name: 'six', version: '1.16.0', layer: 'older', layerVersion: '1.15.0' };

  it('are those of the last layer', () => {
    expect(heldBy([older, newer]).map(({ name, version }) => `${name} ${version}`)).toEqual([
      'six 1.16.0',
      'idna 3.7',
    ]);
    expect(clashes([older, newer])).toEqual([differing]);
    expect(whyMerged([older, newer])).toBe('its layers hold six in two versions');
    expect(whyMerged([older])).toBeUndefined();
  });
  it('are those of the function before its layers’', () => {
    expect(ownVersions(newer, [older])).toEqual([differing]);
    expect(ownVersions({ distributions: [one('idna', '3.7')] }, [older, newer])).toEqual([]);
  });
});

describe('a resolution that prefers versions', () => {
  const target = { python: '3.11', architecture: 'x86_64' } as const;
  const preferred = [{ name: 'idna', version: '3.6', hashes: [], via: [] }];
  it('takes them where it may, with the hashes of the index', async () => {
    const [idna] = await resolveSets({ one: ['idna>=3.5'] }, target, [], preferred);
    expect(idna).toMatchObject({ version: '3.6' });
    expect(idna?.hashes).toHaveLength(2);
  });
  it('leaves them where it must', async () => {
    const [idna] = await resolveSets({ one: ['idna==3.7'] }, target, [], preferred);
    expect(idna).toMatchObject({ version: '3.7' });
  });
});
