import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { judgeBootstrap } from '../../../cli/doctor/account/bootstrap.ts';
import { judgeRefusal } from '../../../cli/doctor/account/caller.ts';
import { judgePermissions, principalOf } from '../../../cli/doctor/account/permissions.ts';
import { judgePipeline } from '../../../cli/doctor/account/pipeline.ts';
import {
  judgeAlarms,
  judgeBuilds,
  judgeCodeStorage,
  judgeConcurrency,
  judgeStacks,
} from '../../../cli/doctor/account/quotas.ts';
import { judgeServices, NEEDED_SERVICES } from '../../../cli/doctor/account/region.ts';
import { exitCodeOfFindings, type Finding, findings } from '../../../cli/doctor/check.ts';
import { judgeNode } from '../../../cli/doctor/machine.ts';
import { readForDoctor } from '../../../cli/doctor/project.ts';
import { ROOT } from '../../../local/paths.ts';

/** An error as the SDK throws it. */
const sdkError = (name: string, message: string) => Object.assign(new Error(message), { name });
const verdicts = (list: readonly Finding[]) => list.map(({ verdict }) => verdict);

describe('the doctor', () => {
  it('tells what a check could not look at, and why, and goes on', async () => {
    const denied = sdkError('AccessDeniedException', 'User: x is not authorized to perform: y\nmore');
    expect(
      await findings([
        { what: 'one', look: () => Promise.reject(denied) },
        { what: 'two', look: async () => [{ what: 'two', verdict: 'ok', found: 'all' }] },
        { what: 'three', look: () => Promise.reject(sdkError('TimeoutError', 'connect ETIMEDOUT')) },
      ]),
    ).toEqual([
      {
        what: 'one',
        verdict: 'unknown',
        found: 'not allowed to look: User: x is not authorized to perform: y',
      },
      { what: 'two', verdict: 'ok', found: 'all' },
      { what: 'three', verdict: 'unknown', found: 'cannot look: connect ETIMEDOUT' },
    ]);
  });

  it.each([
    ['ok', 'ok', 0],
    ['warning', 'warning', 0],
    ['unknown', 'ok', 0],
    ['failed', 'ok', 1],
    ['ok', 'failed', 2],
    ['failed', 'failed', 2],
  ] as const)('ends with its exit code: machine %s, project %s: %i', (machine, project, code) => {
    const of = (verdict: Finding['verdict']): Finding[] => [{ what: '', verdict, found: '' }];
    expect(exitCodeOfFindings(of(machine), of(project))).toBe(code);
  });

  it.each([
    ['20.19.0', 'ok'],
    ['24.0.0', 'ok'],
    ['20.18.3', 'failed'],
    ['18.20.0', 'failed'],
  ])('takes Node %s: %s', (version, verdict) => expect(judgeNode(version).verdict).toBe(verdict));

  it('reads the project as every command does', async () => {
    const { project, findings: said } = await readForDoctor(join(ROOT, 'examples', 'item-prediction'));
    expect(project?.target).toEqual({ python: '3.11', architecture: 'x86_64' });
    expect(said).toEqual([
      {
        what: 'Template',
        verdict: 'ok',
        found: 'template.yaml: 3 functions, 3 layers, Python 3.11, x86_64',
      },
      { what: 'Smoke events', verdict: 'ok', found: 'every function has one' },
    ]);
  });

  it('names what is wrong with a project, and the next step', async () => {
    const { project, findings: said } = await readForDoctor(join(ROOT, 'docs'));
    expect(project).toBeUndefined();
    expect(said).toEqual([
      {
        what: 'Project',
        verdict: 'failed',
        found: expect.stringContaining('no template.yaml, template.yml or template.json here'),
        remedy: 'run this in the folder of a SAM project',
      },
    ]);
  });
});

describe('the doctor of an account', () => {
  // Messages as the SDK and AWS write them.
  it.each([
    ['Error', 'Region is missing', 'Region', /--region REGION/],
    [
      'CredentialsProviderError',
      'Could not load credentials from any providers',
      'Credentials',
      /aws sso login/,
    ],
    [
      'ExpiredTokenException',
      'The security token included in the request is expired',
      'Credentials',
      /Sign in/,
    ],
    [
      'InvalidClientTokenId',
      'The security token included in the request is invalid.',
      'Credentials',
      /aws configure/,
    ],
    ['Error', 'getaddrinfo ENOTFOUND sts.nowhere-1.amazonaws.com', 'Credentials', /name of the region/],
  ])('says what to do where AWS answers %s: %s', (name, message, what, remedy) => {
    expect(judgeRefusal(sdkError(name, message))).toEqual({
      what,
      verdict: 'failed',
      found: expect.any(String),
      remedy: expect.stringMatching(remedy),
    });
  });

  it('knows the bootstrap version that the CDK needs', () => {
    const where = { account: '111111111111', region: 'eu-west-1' };
    expect(verdicts([6, 21].map((version) => judgeBootstrap(version, where)))).toEqual(['ok', 'ok']);
    for (const version of [undefined, 5])
      expect(judgeBootstrap(version, where)).toMatchObject({
        verdict: 'failed',
        remedy: 'Run: npx cdk bootstrap aws://111111111111/eu-west-1',
      });
  });

  it('knows whether the pipeline is there, whole, and of which version', () => {
    const outputs = [
      'SourceBucket',
      'ArtifactBucket',
      'ReleasesTable',
      'DeployMachine',
      'RollbackMachine',
      'Topic',
    ];
    const stack = (StackStatus: string, version?: string) => ({
      StackName: 'Second',
      CreationTime: undefined,
      StackStatus: StackStatus as 'CREATE_COMPLETE',
      Outputs: [
        ...outputs.map((OutputKey) => ({ OutputKey, OutputValue: 'x' })),
        ...(version ? [{ OutputKey: 'Version', OutputValue: version }] : []),
      ],
    });
    const judge = (one: Parameters<typeof judgePipeline>[1]) => judgePipeline('Second', one, '2.0.0');
    expect(judge(stack('UPDATE_COMPLETE', '2.0.0'))).toEqual({
      what: 'Pipeline Second',
      verdict: 'ok',
      found: 'version 2.0.0',
    });
    expect(judge(stack('CREATE_COMPLETE', '1.0.0')).found).toBe('version 1.0.0, this command line is 2.0.0');
    expect(judge(stack('CREATE_COMPLETE')).verdict).toBe('warning');
    expect(judge(undefined)).toMatchObject({
      verdict: 'warning',
      found: 'not installed',
      remedy: expect.stringContaining('npx cdk deploy -c pipeline=Second'),
    });
    expect(judge(stack('UPDATE_ROLLBACK_FAILED', '2.0.0'))).toMatchObject({
      verdict: 'failed',
      found: 'its stack is in UPDATE_ROLLBACK_FAILED',
    });
    expect(judge({ ...stack('CREATE_COMPLETE'), Outputs: [] }).verdict).toBe('failed');
  });

  it('knows how much room the quotas leave', () => {
    const gb = 1_000_000_000;
    expect(verdicts([10, 74, 74.9].map((used) => judgeCodeStorage(used * gb, 75 * gb)))).toEqual([
      'ok',
      'warning',
      'failed',
    ]);
    expect(verdicts([1000, 10, 2].map((left) => judgeConcurrency(1000, left)))).toEqual([
      'ok',
      'warning',
      'failed',
    ]);
    expect(verdicts([60, 1, 0, undefined].map(judgeBuilds))).toEqual(['ok', 'warning', 'failed', 'unknown']);
    expect(verdicts([5000, 50, undefined].map(judgeAlarms))).toEqual(['ok', 'warning', 'unknown']);
    expect(verdicts([2000, 5, undefined].map(judgeStacks))).toEqual(['ok', 'warning', 'unknown']);
    expect(judgeBuilds(0).remedy).toContain('servicequotas/home/services/codebuild');
  });

  it('names the services that a region lacks', () => {
    expect(judgeServices('eu-west-1', [...NEEDED_SERVICES, 'ec2']).verdict).toBe('ok');
    expect(judgeServices('xx-1', [])).toMatchObject({ verdict: 'unknown' });
    expect(
      judgeServices(
        'xx-1',
        NEEDED_SERVICES.filter((name) => name !== 'codebuild'),
      ),
    ).toMatchObject({
      verdict: 'failed',
      found: 'xx-1 has no codebuild',
    });
  });

  it('asks for the policies of whoever calls', () => {
    expect(principalOf('arn:aws:iam::111111111111:user/team/ada')).toEqual({
      user: 'arn:aws:iam::111111111111:user/team/ada',
    });
    expect(
      principalOf('arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Admin_1/ada@example.org'),
    ).toEqual({
      role: 'AWSReservedSSO_Admin_1',
    });
    expect(principalOf('arn:aws:iam::111111111111:root')).toBeUndefined();
  });

  it('says which actions are denied', () => {
    const decisions = [
      { action: 'sts:AssumeRole', isAllowed: true },
      { action: 'states:StartExecution', isAllowed: false },
    ];
    expect(judgePermissions(decisions)).toEqual([
      { what: 'Permissions to install', verdict: 'ok', found: '3 actions allowed' },
      expect.objectContaining({
        what: 'Permissions to release',
        verdict: 'warning',
        found: 'not on every resource: states:StartExecution',
      }),
    ]);
  });
});
