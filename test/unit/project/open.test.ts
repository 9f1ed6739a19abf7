import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packProject } from '../../../cli/pack.ts';
import { unpack } from '../../../core/build/unpack.ts';
import { openProjectAt } from '../../../core/project/open.ts';
import { loadProject } from '../../../core/project/project.ts';
import { parametersOf } from '../../../core/project/samconfig.ts';
import { planProject } from '../../../core/release/plan.ts';
import { PROJECT_LIMITS } from '../../../core/size/limits.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'My shop_'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

const template = (codeUri: string, name = 'Hello') => `Transform: AWS::Serverless-2016-10-31
Parameters:
  Version: { Type: String, Default: '3.11' }
Resources:
  ${name}:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: ${codeUri}, Handler: app.handler, Runtime: !Sub 'python\${Version}' }
`;
const APP = 'def handler(event, context): return 1\n';
const namesOf = async (place: Parameters<typeof openProjectAt>[0]) => {
  const { project } = await openProjectAt(place);
  return [
    project.templateFile,
    ...project.functions.map(({ logicalId, codeUri }) => `${logicalId} ${codeUri}`),
  ];
};

describe('the template', () => {
  it.each(['template.yaml', 'template.yml', 'template.json'])(
    'is %s where nobody says otherwise',
    async (file) => {
      const { Transform, Resources } = {
        Transform: 'AWS::Serverless-2016-10-31',
        Resources: {
          Hello: {
            Type: 'AWS::Serverless::Function',
            Properties: { CodeUri: 'src', Handler: 'app.handler', Runtime: 'python3.11' },
          },
        },
      };
      await write({
        [file]: file.endsWith('.json') ? JSON.stringify({ Transform, Resources }) : template('src'),
        'src/app.py': APP,
      });
      expect(await namesOf({ project: folder })).toEqual([file, 'Hello src']);
    },
  );

  it('is that of --template, then of plimsoll.yaml, then of samconfig', async () => {
    await write({
      'template.yaml': template('src', 'Default'),
      'deploy/sam.yaml': template('../src', 'Sam'),
      'other.yaml': template('src', 'Ours'),
      'x/third.json': template('../src', 'Given'),
      'samconfig.toml': '[default.build.parameters]\ntemplate_file = "deploy/sam.yaml"\n',
      'src/app.py': APP,
    });
    expect(await namesOf({ project: folder })).toEqual(['deploy/sam.yaml', 'Sam src']);
    await write({ 'plimsoll.yaml': 'template: other.yaml\n' });
    expect(await namesOf({ project: folder })).toEqual(['other.yaml', 'Ours src']);
    expect(await namesOf({ project: folder, template: 'x/third.json' })).toEqual([
      'x/third.json',
      'Given src',
    ]);
    await expect(openProjectAt({ project: folder, template: '../t.yaml' })).rejects.toThrow(
      /--template \.\.\/t\.yaml: is outside/,
    );
    await expect(openProjectAt({ project: folder, template: 'gone.yaml' })).rejects.toThrow(
      /gone\.yaml: there is no such template/,
    );
  });

  it('that climbs out of its folder makes the git repository the project, and the upload holds all of it', async () => {
    await write({
      'infra/api/template.yaml': template('../../src'),
      'infra/api/plimsoll.yaml': 'budgets: { total: 3 MB }\n',
      'infra/api/samconfig.toml': 'version = 0.1\n[default.deploy.parameters]\nstack_name = "shop"\n',
      'src/app.py': APP,
    });
    const place = { project: join(folder, 'infra', 'api') };
    await expect(openProjectAt(place)).rejects.toThrow(
      /Hello\.CodeUri: \S+ is outside the project\n {2}Name the project/,
    );
    await mkdir(join(folder, '.git'));
    const { project, stackName } = await openProjectAt(place);
    expect(project).toMatchObject({
      root: folder,
      home: 'infra/api',
      templateFile: 'infra/api/template.yaml',
    });
    expect(project.functions[0]?.codeUri).toBe('src');
    expect(project.config.budgets.total).toBe(3_000_000);
    expect(stackName).toBe('shop');
    const out = await mkdtemp(join(tmpdir(), 'plimsoll-upload-'));
    try {
      const { path } = await packProject(folder, out, project);
      const uploaded = join(out, 'uploaded');
      await unpack(path, uploaded, 'project.zip', PROJECT_LIMITS);
      const there = await loadProject(uploaded);
      expect(there).toMatchObject({
        templateFile: 'infra/api/template.yaml',
        functions: [{ codeUri: 'src' }],
      });
      expect(there.config.budgets.total).toBe(3_000_000);
      expect((await planProject(there)).functions[0]?.key).toBe(
        (await planProject(project)).functions[0]?.key,
      );
      expect(await readFile(join(folder, 'infra/api/plimsoll.yaml'), 'utf8')).not.toContain('template');
    } finally {
      await rm(out, { recursive: true, force: true });
    }
  });
});

describe('samconfig', () => {
  const files = {
    'template.yaml': template('src'),
    'src/app.py': APP,
    'samconfig.toml': `version = 0.1
[default.global.parameters]
stack_name = "all"
region = "eu-west-1"
[default.build.parameters]
parameter_overrides = "Version=3.10 Unknown=x"
[prod.deploy.parameters]
stack_name = "prod"
parameter_overrides = ["Version=3.12"]
`,
  };

  it('gives stack, region and parameters, of the environment that is asked for', async () => {
    await write(files);
    const one = await openProjectAt({ project: folder });
    expect(one).toMatchObject({ stackName: 'all', region: 'eu-west-1' });
    expect(one.project.parameters).toEqual({ Version: '3.10' });
    expect(one.project.functions[0]?.runtime).toBe('python3.10');
    const prod = await openProjectAt({ project: folder, configEnv: 'prod' });
    expect(prod.stackName).toBe('prod');
    expect(prod.project.functions[0]?.runtime).toBe('python3.12');
    const given = await openProjectAt({ project: folder, configEnv: 'prod' }, { Version: '3.13' });
    expect(given.project.parameters).toEqual({ Version: '3.13' });
  });

  it('that has no such environment, or is none, is said', async () => {
    await write(files);
    await expect(openProjectAt({ project: folder, configEnv: 'dev' })).rejects.toThrow(
      'samconfig.toml: has no environment "dev"; it has default, prod',
    );
    await write({ 'samconfig.toml': '[default.deploy\n' });
    await expect(openProjectAt({ project: folder })).rejects.toThrow(/samconfig\.toml: line 1: is not TOML/);
    await rm(join(folder, 'samconfig.toml'));
    await expect(openProjectAt({ project: folder, configEnv: 'dev' })).rejects.toThrow(
      /--config-env dev: .* has no samconfig/,
    );
    expect((await openProjectAt({ project: folder })).stackName).toMatch(/^My-shop-\w+$/);
  });

  it.each<[unknown, Record<string, string>]>([
    ['A=1 B="two words" C=\'x y\'', { A: '1', B: 'two words', C: 'x y' }],
    ['Runtime="python3.13" Environment="dev"', { Runtime: 'python3.13', Environment: 'dev' }],
    ['ParameterKey=A,ParameterValue=1 ParameterKey=B,ParameterValue="a b"', { A: '1', B: 'a b' }],
    [['A=1', 'B=x=y'], { A: '1', B: 'x=y' }],
    [
      { A: 1, B: ['x', 'y'] },
      { A: '1', B: 'x,y' },
    ],
    ['A=a,b B=', { A: 'a,b', B: '' }],
    [7, {}],
  ])('has parameter_overrides in each form that SAM takes: %j', (node, parameters) =>
    expect(parametersOf(node)).toEqual(parameters),
  );
});
