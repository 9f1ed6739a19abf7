import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { install } from '../../core/build/install.ts';
import { resolveSets } from '../../core/build/resolve.ts';
import { findPython } from '../../core/build/uv.ts';
import { eventsFor } from '../../core/events/from-template.ts';
import { ownEvents } from '../../core/events/own.ts';
import { whyElsewhere } from '../../core/events/why.ts';
import { writeProject } from '../support/project.ts';

const SCOPE = { parameters: { Bus: 'orders' }, mappings: {}, conditions: {} };
const made = (events: object, more: object = {}) =>
  eventsFor({ Properties: { Events: events, ...more } }, SCOPE);
const one = (type: string, properties: object = {}) =>
  made({ Source: { Type: type, Properties: properties } })[0]?.event as Record<string, never>;

/** Every source, with the class of Powertools that reads it and what must be read there. */
const SOURCES: [string, object, string, string, unknown][] = [
  [
    'Api',
    { Path: '/orders/{id}', Method: 'post' },
    'APIGatewayProxyEvent',
    'e.path_parameters["id"] + e.http_method + str(e.json_body)',
    '1POST{}',
  ],
  [
    'Api',
    { Path: '/', Method: 'any' },
    'APIGatewayProxyEvent',
    'e.http_method + e.path + e.request_context.stage',
    'GET/prod',
  ],
  [
    'HttpApi',
    { Path: '/a/{proxy+}', Method: 'GET' },
    'APIGatewayProxyEventV2',
    'e.raw_path + e.request_context.http.method',
    '/a/proxyGET',
  ],
  ['HttpApi', {}, 'APIGatewayProxyEventV2', 'e.route_key + e.raw_path', '$default/'],
  [
    'S3',
    { Events: 's3:ObjectCreated:*', Filter: { S3Key: { Rules: [{ Name: 'suffix', Value: '.csv' }] } } },
    'S3Event',
    'e.object_key + next(e.records).event_name',
    'folder/file.csvObjectCreated:Put',
  ],
  ['SQS', {}, 'SQSEvent', 'next(e.records).body', '{}'],
  ['SNS', {}, 'SNSEvent', 'e.sns_message', '{}'],
  [
    'EventBridgeRule',
    {
      Pattern: {
        source: ['shop'],
        'detail-type': ['Paid'],
        detail: { amount: [{ numeric: ['>', 10] }], kind: [{ prefix: 'a' }], gone: [{ exists: false }] },
      },
    },
    'EventBridgeEvent',
    'e.source + e.detail_type + str(e.detail)',
    "shopPaid{'amount': 11, 'kind': 'aexample'}",
  ],
  [
    'Schedule',
    { Schedule: 'rate(1 day)' },
    'EventBridgeEvent',
    'e.source + e.detail_type',
    'aws.eventsScheduled Event',
  ],
  [
    'DynamoDB',
    {},
    'DynamoDBStreamEvent',
    'next(e.records).event_name.name + next(e.records).dynamodb.new_image["id"]',
    'INSERT1',
  ],
  ['Kinesis', {}, 'KinesisStreamEvent', 'next(e.records).kinesis.data_as_text()', '{}'],
];

describe('events in the shapes of AWS', () => {
  let tree: string;
  let python: string;
  beforeAll(async () => {
    const target = { python: '3.11', architecture: 'x86_64' } as const;
    tree = await mkdtemp(join(tmpdir(), 'plimsoll-powertools-'));
    python = await findPython('3.11', tree);
    await install(
      await resolveSets({ set: ['aws-lambda-powertools==3.4.0'] }, target),
      join(tree, 'lib'),
      target,
    );
  });
  afterAll(() => rm(tree, { recursive: true, force: true }));

  it.each(SOURCES)('%s %j are read by %s', (type, properties, reader, expression, expected) => {
    const code = `import json, sys\nsys.path.insert(0, sys.argv[1])\nfrom aws_lambda_powertools.utilities import data_classes\ne = data_classes.${reader}(json.loads(sys.argv[2]))\nprint(${expression}, end="")`;
    const args = ['-I', '-c', code, join(tree, 'lib'), JSON.stringify(one(type, properties))];
    expect(execFileSync(python, args, { encoding: 'utf8' })).toBe(expected);
  });
});

describe('the events of a function', () => {
  it('are named after what the template says, in its order; sources that nobody knows give none', () => {
    const events = {
      GetOrder: { Type: 'Api', Properties: { Path: '/' } },
      Odd: { Type: 'MSK', Properties: {} },
    };
    expect(
      made(events, { FunctionUrlConfig: { AuthType: 'NONE' } }).map(({ name, from }) => [name, from]),
    ).toEqual([
      ['get-order', 'Events.GetOrder (Api)'],
      ['function-url', 'FunctionUrlConfig'],
    ]);
    expect(eventsFor(undefined, SCOPE)).toEqual([]);
  });
  it('are what a rule hands over in the place of its own', () => {
    expect(one('Schedule', { Input: '{"run": "nightly"}' })).toEqual({ run: 'nightly' });
    expect(one('ScheduleV2', {})).toEqual({});
  });
  it('of a queue that hears a topic hold its message', () => {
    const { Records } = one('SNS', { SqsSubscription: true }) as unknown as { Records: { body: string }[] };
    expect(JSON.parse(Records[0]?.body ?? '')).toMatchObject({ Type: 'Notification', Message: '{}' });
  });
});

describe('the folder of events that sam init makes', () => {
  const files = {
    'events/event.json': '{"a": 1}',
    'events/get-order.json': '{"b": 2}',
    'events/readme.md': '',
  };
  it('is for the only function, whatever the files are called', async () => {
    const found = await ownEvents(await writeProject(files), '.', ['HelloWorldFunction']);
    expect(found.get('HelloWorldFunction')?.map(({ name }) => name)).toEqual(['event', 'get-order']);
  });
  it('is matched by name where there are several', async () => {
    const found = await ownEvents(await writeProject(files), '.', ['GetOrderFunction', 'Other']);
    expect([...found]).toEqual([
      ['GetOrderFunction', [{ name: 'get-order', event: { b: 2 }, from: 'events/get-order.json' }]],
    ]);
  });
  it('says which file is no JSON', async () => {
    const root = await writeProject({ 'events/event.json': '{' });
    await expect(ownEvents(root, '.', ['Hello'])).rejects.toThrow(/^events\/event\.json: /);
  });
});

describe('why an event cannot be tried here', () => {
  it.each([
    [
      'NoCredentialsError: Unable to locate credentials',
      /^it needs credentials of an account, which is not here \(/,
    ],
    ['EndpointConnectionError: Could not connect', /^it needs a network/],
    [
      'ClientError: An error occurred (ResourceNotFoundException) when calling GetItem',
      /^it needs a resource of the stack/,
    ],
    ["KeyError: 'name'", /^the handler raises KeyError: 'name'$/],
  ])('%s', (detail, why) => {
    expect(whyElsewhere(detail)).toMatch(why);
  });
});
