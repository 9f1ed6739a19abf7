import { createHash } from 'node:crypto';
import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  GetDashboardCommand,
  ListMetricsCommand,
} from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient, DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { GetFunctionConfigurationCommand, ResourceNotFoundException } from '@aws-sdk/client-lambda';
import { describe, expect, it } from 'vitest';
import { PipelineClient } from '../../cli/pipeline-client.ts';
import { DEFAULT_PIPELINE, temporaryPrefix } from '../../core/release/pipeline-name.ts';
import { temporaryName } from '../../core/release/probe.ts';
import { stateRuns } from '../../core/release/progress.ts';
import { functionsOf } from '../../core/release/stack-resources.ts';
import type { Stored } from '../../core/release/stored.ts';
import {
  describeStack,
  forgetBuilt,
  get,
  lambda,
  pipeline,
  readArtifact,
  records,
  release,
  resourcesOf,
  stateOf,
} from '../support/aws.ts';
import { buildingStates, buildsInSequence } from '../support/builds.ts';
import { changed, projectZip } from '../support/project.ts';

const STACK = 'released';
const physicalName = async () => functionsOf(await resourcesOf(STACK)).get('Hello') ?? '';
const layersOf = async () => {
  const { Layers = [] } = await lambda.send(
    new GetFunctionConfigurationCommand({ FunctionName: await physicalName() }),
  );
  return Layers.map(({ Arn }) => Arn);
};

describe('a release', () => {
  it('deploys a new project: stack, answer, record, alarms, dashboard, retention, metric', async () => {
    const end = await release(STACK, await projectZip());
    expect(end.error, end.message).toBe('');
    expect(end.status).toBe('SUCCEEDED');
    expect((await describeStack(STACK))?.StackStatus).toBe('CREATE_COMPLETE');
    expect(await get(STACK, '/hello?name=world')).toEqual({
      status: 200,
      body: { text: 'hello world', version: 1 },
    });

    const plan = JSON.parse(
      await readArtifact(`releases/${STACK}/${(end.output['release'] as { id: string }).id}/plan.json`),
    );
    expect(plan).toMatchObject({ mode: 'traced', layers: [{ decisions: { steps: expect.any(Array) } }] });
    const sbom = JSON.parse(await readArtifact(`layers/utils/${plan.layers[0].key}/sbom.cdx.json`));
    expect(sbom).toMatchObject({
      bomFormat: 'CycloneDX',
      components: [{ purl: 'pkg:pypi/six@1.16.0', licenses: expect.any(Array) }],
    });
    const [record] = await records(STACK);
    expect(record).toMatchObject({ outcome: 'RELEASED', execution: end.arn });
    const probes = [{ function: 'Hello', ms: expect.any(Number), memoryMb: expect.any(Number), ofMb: 128 }];
    expect(JSON.parse(record?.['probes'] ?? '')).toMatchObject(probes);
    const [stored] = end.output['probes'] as Stored[];
    expect(JSON.parse(await readArtifact(stored?.key ?? ''))).toMatchObject(probes);
    const taken = await readArtifact(record?.['snapshot'] ?? '');
    expect(createHash('sha256').update(taken).digest('hex')).toBe(record?.['snapshotSha256']);
    expect(JSON.parse(taken)).toMatchObject({ existed: false });
    const cloudwatch = new CloudWatchClient();
    const { MetricAlarms = [] } = await cloudwatch.send(
      new DescribeAlarmsCommand({ AlarmNamePrefix: `${STACK}-Hello-` }),
    );
    expect(MetricAlarms.map(({ AlarmName }) => AlarmName).sort()).toEqual(
      ['duration', 'errors', 'throttles'].map((kind) => `${STACK}-Hello-${kind}`),
    );
    expect(MetricAlarms.find(({ MetricName }) => MetricName === 'Duration')?.Threshold).toBe(8000);
    const { DashboardBody = '' } = await cloudwatch.send(
      new GetDashboardCommand({ DashboardName: `Plimsoll-${STACK}` }),
    );
    expect(DashboardBody).toContain(await physicalName());
    const { logGroups = [] } = await new CloudWatchLogsClient().send(
      new DescribeLogGroupsCommand({ logGroupNamePrefix: `/aws/lambda/${await physicalName()}` }),
    );
    expect(logGroups.map(({ retentionInDays }) => retentionInDays)).toEqual([30]);
    const { Metrics = [] } = await cloudwatch.send(
      new ListMetricsCommand({ Namespace: 'Plimsoll', MetricName: 'ReleaseBytes' }),
    );
    expect(Metrics).not.toEqual([]);
  });

  it('leaves no probe behind', async () => {
    const id = (await records(STACK))[0]?.['sk']?.replace('release#', '') ?? '';
    expect(id).not.toBe('');
    const FunctionName = temporaryName(temporaryPrefix(DEFAULT_PIPELINE, 'probe'), { id }, 'Hello');
    await expect(lambda.send(new GetFunctionConfigurationCommand({ FunctionName }))).rejects.toThrow(
      ResourceNotFoundException,
    );
  });

  it('updates code and parameters, and goes on with the layer version that has not changed', async () => {
    const before = await layersOf();
    const zip = await projectZip({
      ...changed('functions/hello/app.py', '"version": 1', '"version": 2'),
      'plimsoll.yaml':
        'smoke:\n  endpoints:\n    - get: /hello?name=test\n      body: { text: hi test, version: 2 }\n',
    });
    const end = await release(STACK, zip, { parameters: { Greeting: 'hi' } });
    expect(end.error, end.message).toBe('');
    expect(await get(STACK, '/hello')).toEqual({ status: 200, body: { text: 'hi you', version: 2 } });
    const key = (await records(STACK)).at(-1)?.['snapshot'] ?? '';
    expect(JSON.parse(await readArtifact(key))).toMatchObject({
      existed: true,
      capabilities: expect.any(Array),
      functions: [{ logicalId: 'Hello', layers: before, retentionDays: 30 }],
      alarms: expect.arrayContaining([`${STACK}-Hello-errors`]),
      parameters: [{ key: 'Greeting', value: 'hello' }],
    });
    expect(JSON.parse(await readArtifact(key.replace('snapshot.json', 'snapshot-processed')))).toHaveProperty(
      'Resources',
    );
    expect(await layersOf()).toEqual(before);
  });

  it('publishes a new version of a changed layer and gives it to the function', async () => {
    const before = await layersOf();
    const end = await release(
      STACK,
      await projectZip({ 'layers/utils/requirements.txt': 'six==1.17.0\n', 'plimsoll.yaml': undefined }),
    );
    expect(end.error, end.message).toBe('');
    const after = await layersOf();
    expect(after).toHaveLength(1);
    expect(after).not.toEqual(before);
    // The parameter that the release before has set is kept.
    expect(await get(STACK, '/hello')).toMatchObject({ body: { text: 'hi you' } });
  });

  it('says so when there is nothing to change', async () => {
    const before = await stateOf(STACK);
    const end = await release(
      STACK,
      await projectZip({ 'layers/utils/requirements.txt': 'six==1.17.0\n', 'plimsoll.yaml': undefined }),
    );
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect({ ...(await stateOf(STACK)), tags: undefined }).toEqual({ ...before, tags: undefined });
  });
});

describe('a release starts one build', () => {
  const SIDE = 'decided';
  const builds = async (arn: string) => {
    const runs = stateRuns(await new PipelineClient(pipeline).history(arn));
    return {
      inSequence: buildsInSequence(runs),
      states: runs.map(({ state }) => state).filter((state) => buildingStates().includes(state)),
    };
  };
  const ONE = { inSequence: 1, states: ['Resolve'] };
  // No other test's layer has these bytes. docopt has no wheel: it is built from its sources, and kept for the next build.
  const own = {
    'layers/utils/of_one_build.py': '',
    'layers/utils/requirements.txt': 'six==1.16.0\ndocopt==0.6.2\n',
  };
  const zip = (note: string, more = {}) => projectZip({ 'functions/hello/note.txt': note, ...own, ...more });
  const built = async () => (await resourcesOf(SIDE)).filter(({ type }) => type.endsWith('LayerVersion'));

  it('the first, one with nothing to build, and one with a changed function, which builds no layer anew', async () => {
    const first = await release(SIDE, await zip('decided'));
    expect(first.status, first.message).toBe('SUCCEEDED');
    expect(await builds(first.arn)).toEqual(ONE);
    const layers = await built();
    const again = await release(SIDE, await zip('decided', { 'README.md': 'not shipped' }));
    expect(await builds(again.arn)).toEqual(ONE);
    const changedFunction = await release(SIDE, await zip('changed'));
    expect(await builds(changedFunction.arn)).toEqual(ONE);
    expect(await built()).toEqual(layers);
  });

  it('and builds anew, beside what was decided, what has gone from the artifact bucket', async () => {
    const layers = await built();
    await forgetBuilt(SIDE, 'layer');
    await forgetBuilt(SIDE, 'function');
    const end = await release(SIDE, await zip('changed', { 'README.md': 'again' }));
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect((await builds(end.arn)).states).toEqual(['Resolve', 'BuildLayer', 'BuildFunctions']);
    // The same bytes: nothing to deploy.
    expect(await built()).toEqual(layers);
  });
});

describe('a function that asks for a module that was removed', () => {
  it('fetches it from the artifact bucket and goes on, where the project wants that', async () => {
    const zip = await projectZip({
      ...changed(
        'functions/hello/app.py',
        '    return {',
        '    if name.startswith("dateutil."):\n        import importlib\n        name = importlib.import_module(name).easter(2026).isoformat()\n    return {',
      ),
      'layers/utils/requirements.txt': 'six==1.16.0\npython-dateutil==2.8.2\nboto3==1.28.25\n',
      'plimsoll.yaml': 'optimise: { fetch: true }\n',
    });
    const end = await release('fetching', zip);
    expect(end.error, end.message).toBe('');
    const folder = `releases/fetching/${(end.output['release'] as { id: string }).id}`;
    const plan = JSON.parse(await readArtifact(`${folder}/plan.json`));
    expect(plan.layers[0].decisions.fetchable).toContain('dateutil/easter.py');
    expect(await get('fetching', '/hello?name=dateutil.easter')).toMatchObject({
      status: 200,
      body: { text: 'hello 2026-04-05' },
    });
  });
});
