import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { installPackages } from '../../../core/build/artifact.ts';
import { compileFiles, sourceless } from '../../../core/build/bytecode.ts';
import { listTree } from '../../../core/build/tree.ts';
import { findPython } from '../../../core/build/uv.ts';
import { decidedPlan } from '../../../core/build/workspace.ts';
import { HOOK, isHooked } from '../../../core/optimise/finder.ts';
import { loadProject } from '../../../core/project/project.ts';
import { planProject } from '../../../core/release/plan.ts';
import { BASE, changed, writeProject } from '../../support/project.ts';

const DESCRIBE = fileURLToPath(new URL('../../support/python/describe_modules.py', import.meta.url));
const REGION = "region_name='us-east-1'";
const BOTO3 = [
  `import boto3\nresult = boto3.session.Session(${REGION})`,
  `import boto3\nresult = boto3.client('s3', ${REGION}).get_paginator('list_objects_v2')`,
  `import boto3\nresult = boto3.client('s3', ${REGION}).get_waiter('bucket_exists')`,
  `import boto3\nresult = boto3.resource('s3', ${REGION}).Bucket('b').upload_file`,
  `import boto3.s3.transfer\nresult = boto3.s3.transfer.TransferConfig().max_bandwidth`,
  `import boto3\nresult = len(str(boto3.client('s3', ${REGION}).get_object.__doc__)) > 100`,
  'import botocore.session\nresult = len(botocore.session.get_session().get_available_services()) > 0',
  'from s3transfer import *\nresult = sorted(name for name in globals() if name[0] != "_")',
];

let root = '';
afterEach(() => rm(root, { recursive: true, force: true }));

type Described = Record<string, unknown>;

/** What programs and modules show with imports deferred, and what they show in the same trees without. */
async function bothSides(programs: readonly string[]) {
  const project = await loadProject(root);
  const { plan, units } = await decidedPlan(
    root,
    await planProject(project),
    join(root, '.plimsoll'),
    () => {},
  );
  const interpreter = await findPython(plan.target.python, root);
  const layers = units.filter(({ kind }) => kind === 'layer');
  const modules = new Set<string>();
  const eager: string[] = [];
  let deferred = 0;
  for (const { name, libraries } of layers) {
    const layer = plan.layers.find((one) => one.name === name);
    const lazy = layer?.decisions?.lazy ?? {};
    deferred += Object.values(lazy).reduce((sum, { lines }) => sum + lines.length, 0);
    const tree = join(root, 'eager', name);
    const sources = join(root, 'sources', name);
    await cp(libraries, tree, { recursive: true });
    await installPackages(layer?.distributions ?? [], sources, plan.target);
    await compileFiles({
      interpreter,
      tree: sources,
      out: tree,
      prefix: '/opt/python',
      hook: HOOK,
      columns: false,
      imports: false,
      files: Object.keys(lazy).map((path) => {
        return { path, to: sourceless(path), docstrings: true, hook: isHooked(path) };
      }),
    });
    eager.push(tree);
    for (const { path } of listTree(libraries)) {
      const found = /^((?:[a-z]\w*\/)+)__init__\.pyc?$/.exec(path)?.[1];
      if (found) modules.add(found.slice(0, -1).replaceAll('/', '.'));
    }
  }
  const describeIn = (paths: readonly string[]): Described =>
    JSON.parse(
      execFileSync(interpreter, ['-I', '-S', '-B', DESCRIBE], {
        input: JSON.stringify({ paths, modules: [...modules].sort(), programs }),
        encoding: 'utf8',
        maxBuffer: 1e9,
        stdio: ['pipe', 'pipe', 'ignore'],
      }),
    );
  return { deferred, eager: describeIn(eager), later: describeIn(layers.map(({ libraries }) => libraries)) };
}

/** Only what differs, for a message that can be read; and how much was compared. */
function differences(eager: Described, later: Described): { differ: Described; compared: number } {
  const names = Object.keys(eager);
  const text = (value: unknown) => JSON.stringify(value);
  const differ = names.filter((name) => text(eager[name]) !== text(later[name]));
  const shown = differ.map((name) => [name, { eager: eager[name], later: later[name] }]);
  return { differ: Object.fromEntries(shown), compared: names.length };
}

describe('whatever a program can do with the packages, it can do with their imports deferred, with the same result', () => {
  it('boto3', async () => {
    root = await writeProject({
      ...BASE,
      ...changed(
        'functions/hello/app.py',
        'import six',
        "import boto3\nCLIENT = boto3.client('dynamodb', region_name='us-east-1')\nimport six",
      ),
      'layers/utils/requirements.txt': 'six==1.16.0\nboto3==1.28.25\nbotocore==1.31.85\nurllib3==2.0.7\n',
      'plimsoll.yaml':
        'optimise: { lazy: true, keep: [boto3, botocore, s3transfer] }\nbotocore: { keep: [s3] }\n',
    });
    const { deferred, eager, later } = await bothSides(BOTO3);
    expect(deferred).toBeGreaterThan(5);
    for (const program of BOTO3) expect(later[program]).not.toMatch(/Error: /);
    const { differ, compared } = differences(eager, later);
    expect(differ).toEqual({});
    expect(compared).toBeGreaterThan(20);
  });

  it.runIf(process.env['LAZY_EXAMPLE'])('the layers of the example', async () => {
    root = await mkdtemp(join(tmpdir(), 'plimsoll-lazy-same-'));
    const example = fileURLToPath(new URL('../../../examples/item-prediction', import.meta.url));
    await cp(example, root, { recursive: true, filter: (path) => !path.includes('.plimsoll') });
    await writeFile(
      join(root, 'plimsoll.yaml'),
      'optimise: { lazy: true, keep: [boto3, botocore, s3transfer] }\nbotocore: { keep: [s3] }\n',
    );
    const programs = [
      'import scipy\nresult = scipy.sparse.linalg.norm',
      'import sklearn.ensemble\nresult = sklearn.ensemble.RandomForestRegressor(n_estimators=2).fit([[1], [2]], [1, 2]).predict([[1]]).shape',
      'import pandas\nresult = pandas.DataFrame({"a": [1, 2]}).groupby("a").sum().shape',
    ];
    const { deferred, eager, later } = await bothSides([...BOTO3, ...programs]);
    expect(deferred).toBeGreaterThan(20);
    for (const program of programs) expect(later[program]).not.toMatch(/Error: /);
    const { differ, compared } = differences(eager, later);
    console.log(`${compared} modules and programs compared, ${deferred} imports deferred`);
    expect(differ).toEqual({});
  });
});
