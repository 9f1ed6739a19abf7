import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, it } from 'vitest';
import { get, pipeline, readArtifact, records, release, s3, stateOf } from '../support/aws.ts';
import { writeZipWith } from '../support/hostile-zip.ts';
import { BASE, changed, type Files, projectZip } from '../support/project.ts';

const STACK = 'kept';
const RAISES = changed(
  'functions/hello/app.py',
  'name = (event',
  'raise KeyError("lost")\n    name = (event',
);

/** Code that misbehaves in Lambda only, where no build sees it. */
const inLambda = (code: string) =>
  changed(
    'functions/hello/app.py',
    'name = (event',
    `import time\n    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:\n        ${code}\n    name = (event`,
  );

/** A resource that CloudFormation waits for in vain, so that the update of the stack fails half-way. */
const STUCK = `  Handle${'Two'}:
    Type: AWS::CloudFormation::WaitConditionHandle
  Wait:
    Type: AWS::CloudFormation::WaitCondition
    DependsOn: Hello
    Properties: { Handle: !Ref HandleTwo, Timeout: '1', Count: 1 }
`;

/** A file that a shell would make. */
const SENTINEL = join(tmpdir(), 'plimsoll-test-pwned');

interface Row {
  what: string;
  changes: Files;
  error: string;
  /** What a person needs to act. */
  says: (string | RegExp)[];
}

/** Code that the handler's module runs when it is imported, in Lambda alone. */
const whenImported = (code: string) =>
  changed(
    'functions/hello/app.py',
    'import six\n',
    `import six\nimport time\n\nif "AWS_LAMBDA_FUNCTION_NAME" in os.environ:\n    ${code}\n`,
  );

const ROWS: Row[] = [
  {
    what: 'a function whose handler takes too long to import',
    changes: { ...whenImported('time.sleep(0.4)'), 'plimsoll.yaml': 'budgets: { coldStart: 300 ms }\n' },
    error: 'BudgetExceededError',
    says: [
      /function Hello: its handler takes 4\d\d ms to import in Lambda, its budget is 300 ms/,
      'plimsoll layers optimize',
      'budgets.coldStart',
    ],
  },
  {
    what: 'a function that has more memory once it is imported than it may have',
    changes: whenImported('KEPT = bytearray(200_000_000)'),
    error: 'BudgetExceededError',
    says: [/function Hello: .* it has (19|2\d)\d MB, and it may have 128 MB/, 'MemorySize in template.yaml'],
  },
  {
    what: 'a layer over its budget',
    changes: { 'plimsoll.yaml': 'budgets:\n  layers: { utils: 10 kB }\n' },
    error: 'BudgetExceededError',
    says: ['layer utils is', 'over its budget of 0.010 MB', 'six', 'plimsoll.yaml: budgets'],
  },
  {
    what: 'a requirement that does not exist',
    changes: { 'layers/utils/requirements.txt': 'six==1.16.0\nplimsoll-no-such-package==1.0\n' },
    error: 'ResolutionError',
    says: ['plimsoll-no-such-package', 'utils', 'requirements.txt'],
  },
  {
    what: 'requirements that contradict each other',
    changes: { 'layers/utils/requirements.txt': 'six==1.16.0\nsix==1.17.0\n' },
    error: 'ResolutionError',
    says: ['six==1.16.0', 'six==1.17.0'],
  },
  {
    what: 'a requirement with shell metacharacters',
    changes: { 'layers/utils/requirements.txt': `six; $(touch ${SENTINEL}) && 'id'\n` },
    error: 'ResolutionError',
    says: ['utils', 'touch', 'requirements.txt'],
  },
  {
    what: 'a function that raises on its smoke event',
    changes: RAISES,
    error: 'SmokeTestFailedError',
    says: ['smoke event you of Hello', 'KeyError', 'lost'],
  },
  {
    what: 'a function that answers otherwise than its smoke event expects',
    changes: { 'functions/hello/smoke/you.json': '{"event": {}, "expect": {"statusCode": 201}}' },
    error: 'SmokeTestFailedError',
    says: ['smoke event you of Hello', 'answer.statusCode is 200, expected 201'],
  },
  {
    what: 'an endpoint that answers otherwise than expected',
    changes: { 'plimsoll.yaml': 'smoke:\n  endpoints:\n    - get: /hello\n      body: { text: bye }\n' },
    error: 'SmokeTestFailedError',
    says: ['GET /hello', 'answer.text is "hello you", expected "bye"'],
  },
  {
    what: 'a function that logs an error though it answers well',
    changes: changed(
      'functions/hello/app.py',
      'name = (event',
      'print("[ERROR] stock is negative")\n    name = (event',
    ),
    error: 'SmokeTestFailedError',
    says: ['log', 'stock is negative'],
  },
  {
    what: 'an endpoint that answers with another status',
    changes: { 'plimsoll.yaml': 'smoke:\n  endpoints:\n    - get: /nowhere\n' },
    error: 'SmokeTestFailedError',
    says: ['GET /nowhere', /answered 40[34], expected 200/],
  },
  {
    what: 'a function that hangs',
    changes: {
      ...inLambda('time.sleep(60)'),
      ...changed('template.yaml', 'Timeout: 10', 'Timeout: 2'),
    },
    error: 'SmokeTestFailedError',
    says: ['smoke event you of Hello', 'timed out'],
  },
  {
    what: 'a function whose process dies',
    changes: inLambda('os._exit(7)'),
    error: 'SmokeTestFailedError',
    says: ['smoke event you of Hello', 'the function failed'],
  },
  {
    what: 'a function that needs more memory than it may have',
    changes: inLambda('bytearray(400_000_000)'),
    error: 'SmokeTestFailedError',
    says: ['smoke event you of Hello', 'Runtime exited with error: signal: killed'],
  },
  {
    what: 'a package that cannot be built from its sources',
    changes: {
      'layers/utils/requirements.txt': 'six==1.16.0\n./own\n',
      'layers/utils/own/setup.py': 'raise SystemExit("this one needs a compiler")\n',
    },
    error: 'ResolutionError',
    says: ['cannot build own', 'this one needs a compiler'],
  },
  {
    what: 'a requirement with a hash that is not its own',
    changes: { 'layers/utils/requirements.txt': `six==1.16.0 --hash=sha256:${'0'.repeat(64)}\n` },
    error: 'ResolutionError',
    says: ['six', 'utils'],
  },
  {
    what: 'a function whose handler is not in its code',
    changes: changed('template.yaml', 'Handler: app.handler', 'Handler: other.handler'),
    error: 'ImportCheckError',
    says: ['function Hello', 'other'],
  },
  {
    what: 'a smoke event that is no JSON',
    changes: { 'functions/hello/smoke/you.json': '{"event": ' },
    error: 'ProjectError',
    says: ['functions/hello/smoke/you.json'],
  },
  {
    what: "a runtime that CodeBuild's image does not have",
    changes: changed('template.yaml', 'Runtime: python3.11', 'Runtime: python3.99'),
    error: 'UnsupportedProjectError',
    says: ['template.yaml', 'python3.99', 'Hello', 'Set Runtime to one of python3.14'],
  },
  {
    what: 'code that kills the build itself',
    changes: changed(
      'functions/hello/app.py',
      'import six',
      'import os\nos.kill(os.getppid(), 9)\nimport six',
    ),
    error: 'BuildFailedError',
    says: [
      'ended FAILED in phase BUILD: COMMAND_EXECUTION_ERROR: Error while executing command: node plimsoll.mjs step ',
      'exit status 137',
      'The whole log: ',
    ],
  },
  {
    what: 'a function whose module is missing',
    changes: changed('functions/hello/app.py', 'import six', 'import six\nimport requests'),
    error: 'ImportCheckError',
    says: ['function Hello', "No module named 'requests'", 'requirements.txt'],
  },
  {
    what: 'a template that is no YAML',
    changes: { 'template.yaml': 'Resources:\n  A: [\n' },
    error: 'TemplateError',
    says: ['template.yaml', /line \d/],
  },
  {
    what: 'a template whose function names a layer that is not there',
    changes: changed('template.yaml', '!Ref UtilsLayer]', '!Ref NoLayer]'),
    error: 'TemplateError',
    says: ['template.yaml', 'Hello', 'NoLayer'],
  },
  {
    what: 'a template that CloudFormation cannot carry out',
    changes: { 'template.yaml': `${BASE['template.yaml']}${STUCK}` },
    error: 'StackUpdateFailedError',
    says: [`stack ${STACK} is UPDATE_ROLLBACK_COMPLETE`, 'Wait'],
  },
  {
    what: 'a plimsoll.yaml with an unknown key',
    changes: { 'plimsoll.yaml': 'budget: 3 MB\n' },
    error: 'ProjectError',
    says: ['plimsoll.yaml', 'budget'],
  },
];

function expectMessage(message: string, says: Row['says']): void {
  for (const part of says)
    expect(message).toEqual(
      typeof part === 'string' ? expect.stringContaining(part) : expect.stringMatching(part),
    );
}

describe('a release that fails leaves the running stack as it was', () => {
  let before: object;
  beforeAll(async () => {
    const end = await release(STACK, await projectZip());
    expect(end.status, end.message).toBe('SUCCEEDED');
    before = await stateOf(STACK);
  });

  it.each(ROWS)('$what', async ({ changes, error, says }) => {
    const end = await release(STACK, await projectZip(changes));
    expect(end.status).toBe('FAILED');
    expect(end.error, end.message).toBe(error);
    expectMessage(end.message, says);
    expect(await stateOf(STACK)).toEqual(before);
    expect(existsSync(SENTINEL)).toBe(false);
    expect(await get(STACK, '/hello')).toEqual({ status: 200, body: { text: 'hello you', version: 1 } });
    expect((await records(STACK)).at(-1)).toMatchObject({
      outcome: 'ROLLED_BACK',
      error,
      execution: end.arn,
    });
  });
});

describe('a first deployment that fails leaves no stack', () => {
  it.each([
    { what: 'its smoke test', changes: RAISES, error: 'SmokeTestFailedError' },
    {
      what: 'in CloudFormation',
      changes: { 'template.yaml': `${BASE['template.yaml']}${STUCK}` },
      error: 'StackUpdateFailedError',
    },
    {
      what: 'its budget',
      changes: { 'plimsoll.yaml': 'budgets: { total: 1 kB }\n' },
      error: 'BudgetExceededError',
    },
  ])('$what', async ({ what, changes, error }) => {
    const stack = `first-${what.replaceAll(' ', '-').toLowerCase()}`;
    const end = await release(stack, await projectZip(changes));
    expect(end.error, end.message).toBe(error);
    expect(await stateOf(stack)).toEqual({ exists: false });
  });
});

describe('what is restored', () => {
  it('must pass its own smoke tests: else nobody may go on before a human has looked', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'plimsoll-broken-world-'));
    const flag = join(folder, 'flag');
    try {
      // The old code depends on the world outside, which breaks while the new code is being released.
      const depends = changed(
        'functions/hello/app.py',
        'def handler(event, context):\n',
        `def handler(event, context):\n    if os.path.exists("${flag}"):\n        raise RuntimeError("the world has changed")\n`,
      );
      const first = await release('world', await projectZip(depends));
      expect(first.status, first.message).toBe('SUCCEEDED');
      await writeFile(flag, '');
      const wrong = 'smoke: { endpoints: [{ get: /hello, body: { text: other } }] }\n';
      const end = await release('world', await projectZip({ 'plimsoll.yaml': wrong }));
      expect(end.error, end.message).toBe('SmokeTestFailedError');
      expect((await records('world')).map(({ outcome }) => outcome)).toEqual(['RELEASED', 'ROLLBACK_FAILED']);
      const next = await release('world', await projectZip());
      expect(next.error).toBe('StackLockedError');
      expect(next.message).toMatch(
        /could not be rolled back: smoke event you of Hello: .*the world has changed/,
      );
      expect((await release('world', await projectZip(), { unlock: true })).status).toBe('SUCCEEDED');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('what is kept of a failed release', () => {
  it('is the stack itself, when the input asks for no rollback', async () => {
    const end = await release('unrolled', await projectZip(RAISES), { rollback: false });
    expect(end.error, end.message).toBe('SmokeTestFailedError');
    expect(await stateOf('unrolled')).toMatchObject({ exists: true });
    expect(await records('unrolled')).toMatchObject([{ outcome: 'FAILED' }]);
  });

  it('is the report on its sizes', async () => {
    const end = await release('sized', await projectZip({ 'plimsoll.yaml': 'budgets: { total: 1 kB }\n' }));
    const [record] = await records('sized');
    const report = JSON.parse(
      await readArtifact(`releases/sized/${record?.['sk']?.replace('release#', '')}/sizes.json`),
    );
    expect(report.checks).toContainEqual(expect.objectContaining({ subject: 'whole release', ok: false }));
    expect(end.message).toContain('whole release is');
  });
});

describe('an artifact that somebody changed in the bucket', () => {
  const keyOf = async (what: string) => {
    const { Contents = [] } = await s3.send(
      new ListObjectsV2Command({ Bucket: pipeline.ArtifactBucket, Prefix: 'functions/Hello/' }),
    );
    return Contents.map(({ Key = '' }) => Key).find((key) => key.endsWith(what)) ?? '';
  };

  it.each([
    ['climbs out of its folder', [{ name: '../evil.py', text: 'x' }]],
    ['is a link or a special file', [{ name: 'app.py', text: '/etc/passwd', mode: 0o120777 }]],
    ['is not what its manifest describes', [{ name: 'app.py', text: 'import evil' }]],
  ])('so that it %s is refused before anything is deployed', async (says, entries) => {
    // The only artifacts of this name that are in the bucket under the key of the unchanged project.
    const first = await release('tampered', await projectZip({ 'functions/hello/extra.txt': says }));
    expect(first.status, first.message).toBe('SUCCEEDED');
    const before = await stateOf('tampered');
    const plan = JSON.parse(
      await readArtifact(`releases/tampered/${(first.output['release'] as { id: string }).id}/plan.json`),
    );
    const key = `functions/Hello/${plan.functions[0].key}/function.zip`;
    expect(await keyOf(`${plan.functions[0].key}/function.zip`)).toBe(key);
    await s3.send(
      new PutObjectCommand({ Bucket: pipeline.ArtifactBucket, Key: key, Body: writeZipWith(entries) }),
    );
    const end = await release('tampered', await projectZip({ 'functions/hello/extra.txt': says }));
    expect(end.error).toBe('UnsafeArchiveError');
    expect(end.message).toContain(says);
    expect(await stateOf('tampered')).toEqual(before);
  });
});
