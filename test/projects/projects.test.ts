import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  CloudFormationClient,
  GetTemplateCommand,
  ListStackResourcesCommand,
} from '@aws-sdk/client-cloudformation';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runtimePackages } from '../../core/build/runtime-packages.ts';
import { foldersOfLayer } from '../../core/build/search-path.ts';
import { findPython } from '../../core/build/uv.ts';
import { isObject, objectOf } from '../../core/project/intrinsics.ts';
import { parseTemplate } from '../../core/project/yaml.ts';
import { handlerModule } from '../../core/release/entry.ts';
import { EmbeddedAws } from '../../local/embedded-aws.ts';
import { ROOT } from '../../local/paths.ts';
import { cloned, type Fixture, fixtures } from '../support/fixtures.ts';

const SAM = process.env['SAM'];
const only = process.env['ONLY'];
const chosen = fixtures.filter(({ name }) => only === undefined || name === only);
const work = mkdtempSync(join(tmpdir(), 'plimsoll-projects-'));
const state = join(work, 'aws');

const run = (program: string, args: readonly string[], cwd: string) =>
  spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1e8,
    env: { ...process.env, NO_COLOR: '1', SAM_CLI_TELEMETRY: '0' },
  });

const stackOf = ({ name }: Fixture) => name;

describe.sequential('from a clone to a running release, by one command', () => {
  it.each(chosen)('$name', (fixture) => {
    const cwd = cloned(fixture);
    const { status, stdout, stderr } = run(
      process.execPath,
      [join(ROOT, 'bin', 'plimsoll.mjs'), 'deploy', '--local', '--state', state],
      cwd,
    );
    expect(status, stderr + stdout).toBe(0);
    for (const text of fixture.says) expect(stdout).toContain(text);
  });
});

describe('what is released', () => {
  let aws: EmbeddedAws;
  let lambda: LambdaClient;
  let cloudformation: CloudFormationClient;
  beforeAll(async () => {
    aws = await EmbeddedAws.start({ folder: state, wait: true });
    Object.assign(process.env, aws.environment);
    lambda = new LambdaClient();
    cloudformation = new CloudFormationClient();
  });
  afterAll(() => aws.stop());

  async function invoke(stack: string, logicalId: string, event: unknown): Promise<unknown> {
    const { StackResourceSummaries: all = [] } = await cloudformation.send(
      new ListStackResourcesCommand({ StackName: stack }),
    );
    const FunctionName = all.find((one) => one.LogicalResourceId === logicalId)?.PhysicalResourceId;
    const { Payload, FunctionError } = await lambda.send(
      new InvokeCommand({ FunctionName, Payload: JSON.stringify(event ?? {}) }),
    );
    const text = Payload?.transformToString() ?? '';
    expect(FunctionError, text).toBeUndefined();
    return JSON.parse(text);
  }

  const functions = chosen.flatMap((fixture) =>
    Object.entries(fixture.functions).map(([logicalId, expected]) => ({
      name: fixture.name,
      fixture,
      logicalId,
      ...expected,
    })),
  );
  it.each(functions)('answers: $name $logicalId', async ({ fixture, logicalId, event, answer }) => {
    expect(await invoke(stackOf(fixture), logicalId, event)).toEqual(answer);
  });

  const compared = chosen.filter(
    ({ differsFromSam, functions: own }) => !differsFromSam && Object.keys(own).length > 0,
  );
  it.each(SAM === undefined ? [] : compared)('is what `sam build` builds: $name', async (fixture) => {
    const cwd = cloned(fixture);
    const ended = run(SAM ?? 'sam', ['build'], cwd);
    if (ended.status !== 0) {
      console.log(`sam build does not build ${fixture.name}: ${ended.stderr.trim().split('\n').at(-1)}`);
      return;
    }
    const folder = join(cwd, '.aws-sam', 'build');
    const built = parseTemplate(readFileSync(join(folder, 'template.yaml'), 'utf8'), 'template.yaml');
    const theirs = resourcesOf(built);
    const layers = resourcesOf(built, /::LayerVersion$/);
    const { TemplateBody = '' } = await cloudformation.send(
      new GetTemplateCommand({ StackName: stackOf(fixture), TemplateStage: 'Original' }),
    );
    const ours = resourcesOf(parseTemplate(TemplateBody, 'deployed'));
    const told = (all: Record<string, Record<string, unknown>>) =>
      Object.fromEntries(
        Object.entries(all).map(([id, properties]) => [
          id,
          [properties['Handler'], properties['Environment']],
        ]),
      );
    expect(told(ours)).toMatchObject(told(theirs));
    for (const [logicalId, { event, answer }] of Object.entries(fixture.functions)) {
      const properties = theirs[logicalId] ?? {};
      expect(await answerOf(folder, logicalId, properties, layers, event)).toEqual(answer);
    }
  });
});

/** Properties of the resources of a kind, by logical id. */
function resourcesOf(template: unknown, kind = /::Function$/): Record<string, Record<string, unknown>> {
  const all = Object.entries(objectOf(objectOf(template)['Resources']));
  return Object.fromEntries(
    all.flatMap(([id, resource]) =>
      isObject(resource) && kind.test(String(resource['Type']))
        ? [[id, objectOf(resource['Properties'])] as const]
        : [],
    ),
  );
}

const CALL = `import importlib, json, os, sys
paths, module, name, event = json.loads(sys.argv[1])
sys.path[:0] = paths
os.chdir(paths[0])
print(json.dumps(getattr(importlib.import_module(module), name)(event, None)))
`;

/** What a function answers from the folders of a `sam build`, in a plain Python of its runtime. */
async function answerOf(
  folder: string,
  logicalId: string,
  properties: Record<string, unknown>,
  declared: Record<string, Record<string, unknown>>,
  event: unknown,
): Promise<unknown> {
  const runtime = String(properties['Runtime'] ?? 'python3.11').replace('python', '');
  const handler = String(properties['Handler'] ?? 'app.handler');
  const layers = Array.isArray(properties['Layers']) ? properties['Layers'] : [];
  const own = layers.flatMap((layer) => {
    // A layer without a build is named where it lies.
    const own = declared[isObject(layer) ? String(layer['Ref']) : ''] ?? {};
    const path = join(folder, String(own['ContentUri'] ?? own['Content']), 'python');
    return existsSync(path) ? [path] : [];
  });
  const target = { python: runtime, architecture: 'x86_64' } as const;
  // What is not built is named where it lies.
  const code = join(folder, String(properties['CodeUri'] ?? properties['Code'] ?? logicalId));
  const paths = [
    code,
    ...own.toReversed().flatMap((one) => foldersOfLayer(one, runtime)),
    join(code, 'lib'),
    ...(await runtimePackages(join(work, 'runtimes'), target)),
  ];
  const input = JSON.stringify([
    paths,
    handlerModule(handler),
    basename(handler).split('.').at(-1),
    event ?? {},
  ]);
  const { stdout, stderr, status } = run(
    await findPython(runtime, work),
    ['-I', '-S', '-c', CALL, input],
    work,
  );
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}
