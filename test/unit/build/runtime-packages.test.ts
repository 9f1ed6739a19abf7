import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runtimePackages, usedOfRuntime } from '../../../core/build/runtime-packages.ts';
import { decidedPlan, Workspace } from '../../../core/build/workspace.ts';
import { loadProject } from '../../../core/project/project.ts';
import { planProject } from '../../../core/release/plan.ts';
import { writeProject } from '../../support/project.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plimsoll-runtime-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const TEMPLATE = `Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: hello, Handler: app.handler, Runtime: python3.11 }
`;
/** As AWS's own templates have it: boto3 is imported, and in no requirements.txt. */
const APP = `import boto3, botocore, urllib3, six, jmespath, s3transfer
from dateutil import parser
client = boto3.client('s3')
def handler(event, context):
    return {'boto3': boto3.__version__, 'file': client.__class__.__name__}
`;

async function build(files: Readonly<Record<string, string>>) {
  const root = await writeProject({ 'template.yaml': TEMPLATE, 'hello/app.py': APP, ...files });
  const work = join(root, '.plimsoll');
  const planned = await planProject(await loadProject(root));
  const { plan, units } = await decidedPlan(root, planned, work, () => {});
  const workspace = new Workspace(root, plan, work, { step: () => {}, done: () => {} }, units);
  await workspace.layers();
  await workspace.functions();
  return { plan, manifest: workspace.artifacts.get('Hello')?.manifest };
}

describe("the runtime's own packages", () => {
  it('are there when a function is proven, and nothing of them is shipped', async () => {
    const { plan, manifest } = await build({
      'hello/smoke/one.json': JSON.stringify({ event: {}, expect: { boto3: '1.38.36', file: 'S3' } }),
    });
    expect(plan.mode).toBe('traced');
    expect(manifest?.files.map(([path]) => path).sort()).toEqual([
      expect.stringMatching(/^__pycache__\/app\./),
      expect.stringMatching(/^__pycache__\/plimsoll_probe\./),
      'app.py',
      'plimsoll_probe.py',
    ]);
    expect(manifest?.notes).toEqual([
      expect.stringMatching(
        /^functions take boto3 1\.38\.36, .*python-dateutil.* from the runtime python3\.11/,
      ),
    ]);
  });

  it('give way to what the project brings', async () => {
    const { manifest } = await build({
      'hello/requirements.txt': 'boto3==1.28.25\n',
      'hello/smoke/one.json': JSON.stringify({ event: {}, expect: { boto3: '1.28.25' } }),
    });
    expect(manifest?.distributions.map(({ name }) => name)).toContain('boto3');
    expect(manifest?.notes).toEqual([]);
  });

  it('do not hide that another package is missing', async () => {
    await expect(
      build({ 'hello/app.py': 'import requests\ndef handler(event, context): pass\n' }),
    ).rejects.toThrow(/No module named 'requests'.*Add what is missing to its requirements.txt/);
  });

  it.each(['3.8', '3.9', '3.10', '3.11', '3.12', '3.13', '3.14'])(
    'are installed for python%s, once, though two builds ask at once',
    async (python) => {
      const target = { python, architecture: 'x86_64' as const };
      const [[first], [second]] = await Promise.all([
        runtimePackages(folder, target),
        runtimePackages(folder, target),
      ]);
      expect(first).toBe(second);
      expect(await readdir(first ?? '')).toEqual(
        expect.arrayContaining([
          'boto3',
          'botocore',
          'dateutil',
          'jmespath',
          's3transfer',
          'six.py',
          'urllib3',
        ]),
      );
      expect((await readdir(folder)).sort()).toEqual([
        basename(first ?? ''),
        `${basename(first ?? '')}.json`,
      ]);
    },
  );

  it('are installed anew where a power cut has left them cut off', async () => {
    const target = { python: '3.11', architecture: 'x86_64' as const };
    const [home = ''] = await runtimePackages(folder, target);
    const file = join(home, 'boto3', 'session.py');
    const whole = await readFile(file, 'utf8');
    await rm(file);
    await writeFile(file, '');
    expect(await runtimePackages(folder, target)).toEqual([home]);
    expect(await readFile(file, 'utf8')).toBe(whole);
  });

  it('are none where nothing is known of a runtime', async () => {
    expect(await runtimePackages(folder, { python: '3.99', architecture: 'x86_64' })).toEqual([]);
  });

  it('count as used where a line imports them and nothing before them on the path holds them', () => {
    const used = (text: string, ...held: string[]) =>
      usedOfRuntime([text], new Set(held), '3.11').map(({ name }) => name);
    expect(used('import boto3')).toEqual(['boto3']);
    expect(used('from botocore.config import Config\n    from dateutil import tz')).toEqual([
      'botocore',
      'python-dateutil',
    ]);
    expect(used('import boto3', 'boto3')).toEqual([]);
    expect(used('# import boto3\nx = "import boto3"\nimport boto3x')).toEqual([]);
  });
});
