import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Aspects, type Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { BUILD_IMAGE } from '../../core/project/build-image.ts';
import { BUILD_QUEUE_SECONDS, DEPLOY_SECONDS, ROLLBACK_SECONDS } from '../../core/release/limits.ts';
import { arnPatterns } from '../../infra/aws/facts.ts';
import { cliBundle, handlerFiles } from '../../infra/paths.ts';
import { PipelineStack } from '../../infra/pipeline-stack.ts';
import { ROOT } from '../../local/paths.ts';
import { policiesOf } from '../support/policies.ts';

interface Statement {
  Action: string | string[];
  Resource: unknown;
  Effect: string;
}

const list = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

/** Actions that take a resource, and are allowed on all the same. */
const ON_ALL = [
  // It hides composite alarms from whoever may not describe all (CloudWatch API reference).
  'cloudwatch:DescribeAlarms',
];

describe('the pipeline stack', () => {
  let stack: Stack;
  let template: Template;
  let statements: (Statement & { policy: string })[];
  beforeAll(() => {
    const app = new App();
    stack = new PipelineStack(app, 'Plimsoll');
    Aspects.of(app).add(new AwsSolutionsChecks());
    template = Template.fromStack(stack);
    // The boundary grants nothing.
    const policies = ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy']
      .flatMap((type) => Object.entries(template.findResources(type)))
      .filter(([policy]) => !policy.startsWith('Boundary'));
    statements = policies.flatMap(([policy, { Properties }]) =>
      (Properties.PolicyDocument.Statement as Statement[])
        .filter(({ Effect }) => Effect === 'Allow')
        .map((statement) => ({ ...statement, policy })),
    );
  });

  it('ends an execution that takes longer than a release, or a roll back, may', () => {
    const seconds = Object.values(template.findResources('AWS::StepFunctions::StateMachine')).map(
      ({ Properties: { DefinitionString: text } }) =>
        /"TimeoutSeconds":(\d+)\}"?\]*\}?$/.exec(JSON.stringify(text).replaceAll('\\', ''))?.[1],
    );
    expect(seconds.sort()).toEqual([String(DEPLOY_SECONDS), String(ROLLBACK_SECONDS)]);
  });

  const managed = (construct: string) =>
    Object.fromEntries(
      Object.entries(template.findResources('AWS::IAM::ManagedPolicy')).filter(([id]) =>
        id.startsWith(construct),
      ),
    );

  it('lets CloudWatch alarms of its own account publish to its topic', () => {
    const [policy] = Object.values(template.findResources('AWS::SNS::TopicPolicy'));
    const allowed = policy?.['Properties'].PolicyDocument.Statement.filter(
      ({ Effect }: Statement) => Effect === 'Allow',
    );
    expect(allowed).toEqual([
      expect.objectContaining({
        Action: 'sns:Publish',
        Principal: { Service: 'cloudwatch.amazonaws.com' },
        Condition: expect.objectContaining({
          StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } },
        }),
      }),
    ]);
  });

  it('lets WatchAlarms see composite alarms, which takes the right to describe all', () => {
    const watching = statements.filter(
      ({ policy, Action }) =>
        policy.startsWith('HandlersWatchAlarms') && list(Action).includes('cloudwatch:DescribeAlarms'),
    );
    expect(watching.map(({ Resource }) => Resource)).toEqual(['*']);
  });

  it('builds in the image whose runtimes are known, and installs no tools there', () => {
    const projects = Object.values(template.findResources('AWS::CodeBuild::Project'));
    expect(projects.length).toBeGreaterThan(0);
    for (const { Properties } of projects) {
      expect(Properties.Environment).toMatchObject({ Image: BUILD_IMAGE, Type: 'LINUX_CONTAINER' });
      const { phases } = parse(Properties.Source.BuildSpec);
      const commands = Object.values<{ commands?: string[] }>(phases).flatMap(
        (phase) => phase.commands ?? [],
      );
      expect(commands).toEqual([expect.stringMatching(/^node plimsoll\.mjs step \w+$/)]);
    }
  });

  it('lets builds wait in the queue of the account', () => {
    for (const { Properties } of Object.values(template.findResources('AWS::CodeBuild::Project')))
      expect(Properties.QueuedTimeoutInMinutes).toBe(BUILD_QUEUE_SECONDS / 60);
  });

  it('lets builds be stopped by StopBuilds alone, and by the state machine that starts them', () => {
    const stopping = statements.filter(({ Action }) => list(Action).includes('codebuild:StopBuild'));
    expect(stopping.map(({ policy }) => policy.replace(/[0-9A-F]{8}$/, '')).sort()).toEqual([
      'DeployRoleDefaultPolicy',
      'HandlersStopBuildsRoleDefaultPolicy',
    ]);
  });

  it('brings the uv of its builds, the one that the checkout itself runs', () => {
    const bundled = join(cliBundle, 'uv', 'linux-x64', 'uv');
    // The header of an ELF file for x86-64: its magic number, 64 bits, and 0x3e as the machine.
    const header = readFileSync(bundled).subarray(0, 20);
    expect([header.toString('latin1', 1, 4), header[4], header.readUInt16LE(18)]).toEqual(['ELF', 2, 0x3e]);
    const pin = (file: string) => /^uv==(\S+)/m.exec(readFileSync(join(ROOT, file), 'utf8'))?.[1];
    expect(pin('buildspecs/requirements.txt')).toBe(pin('local/requirements.txt'));
    if (process.platform === 'linux' && process.arch === 'x64')
      expect(execFileSync(bundled, ['--version'], { encoding: 'utf8' })).toContain(
        `uv ${pin('local/requirements.txt')}`,
      );
  });

  it('is clean under cdk-nag', () => {
    const errors = Annotations.fromStack(stack).findError('*', Match.stringLikeRegexp('AwsSolutions-.*'));
    const warnings = Annotations.fromStack(stack).findWarning('*', Match.stringLikeRegexp('AwsSolutions-.*'));
    expect([...errors, ...warnings].map(({ id, entry }) => `${id}: ${entry.data}`)).toEqual([]);
  });

  it('has one function a handler file, each on nodejs24.x with a role and a log group of its own', () => {
    const functions = Object.values(template.findResources('AWS::Lambda::Function'));
    expect(functions.map(({ Properties }) => Properties.Runtime)).toEqual(
      handlerFiles().map(() => 'nodejs24.x'),
    );
    const roles = functions.map(({ Properties }) => JSON.stringify(Properties.Role));
    const groups = functions.map(({ Properties }) => JSON.stringify(Properties.LoggingConfig.LogGroup));
    expect(new Set(roles).size).toBe(functions.length);
    expect(new Set(groups).size).toBe(functions.length);
  });

  it('gives no role a wildcard action', () => {
    const actions = statements.flatMap(({ Action }) => list(Action));
    expect(actions.filter((action) => action.includes('*'))).toEqual([]);
  });

  it('may name the transforms that templates of projects name, where it makes change sets and in nested stacks', () => {
    const naming = statements.filter(({ Resource }) => JSON.stringify(Resource).includes(':aws:transform/'));
    expect(naming.length).toBeGreaterThanOrEqual(2);
    for (const { Resource } of naming)
      for (const name of ['Serverless-2016-10-31', 'LanguageExtensions'])
        expect(JSON.stringify(Resource)).toContain(`:aws:transform/${name}`);
  });

  it('gives a bare wildcard resource only to actions that have no other', () => {
    const bare = statements.filter(({ Resource }) => list(Resource).includes('*'));
    const actions = bare.flatMap(({ Action }) => list(Action));
    expect(actions.filter((one) => arnPatterns(one).length > 0 && !ON_ALL.includes(one))).toEqual([]);
  });

  it('lets roles be passed to the one service that they are for', () => {
    const passing = statements.filter(({ Action }) => list(Action).includes('iam:PassRole'));
    expect(passing.length).toBeGreaterThan(0);
    for (const statement of passing)
      expect(statement).toHaveProperty('Condition.StringEquals.iam:PassedToService');
  });

  it('makes roles, and gives them rights, under the permissions boundary alone', () => {
    const changing = statements.filter(({ Action }) =>
      list(Action).some((action) =>
        /^iam:(Create|Attach|Put|Detach|Delete)RolePolic|^iam:CreateRole$/.test(action),
      ),
    );
    expect(changing.flatMap(({ Action }) => list(Action)).sort()).toEqual([
      'iam:AttachRolePolicy',
      'iam:CreateRole',
      'iam:DeleteRolePermissionsBoundary',
      'iam:DeleteRolePolicy',
      'iam:DetachRolePolicy',
      'iam:PutRolePermissionsBoundary',
      'iam:PutRolePolicy',
    ]);
    const boundary = Object.keys(managed('Boundary'));
    expect(boundary).toHaveLength(1);
    for (const statement of changing)
      expect(statement).toHaveProperty('Condition.StringEquals', {
        'iam:PermissionsBoundary': { Ref: boundary[0] },
      });
    template.hasResourceProperties('AWS::CodeBuild::Project', {
      Environment: {
        EnvironmentVariables: Match.arrayWith([
          { Name: 'PERMISSIONS_BOUNDARY', Type: 'PLAINTEXT', Value: { Ref: boundary[0] } },
        ]),
      },
    });
  });

  it('has a boundary that leads to no more rights, and that keeps projects off the pipeline itself', () => {
    const [document] = Object.values(managed('Boundary')).map(
      ({ Properties }) => Properties.PolicyDocument as { Statement: Statement[] },
    );
    const of = (effect: string) => (document?.Statement ?? []).filter(({ Effect }) => Effect === effect);
    const allowed = of('Allow').flatMap(({ Action }) => list(Action));
    expect(allowed.filter((action) => action.includes('*'))).toEqual([]);
    // Each of these gives whoever may do it the rights of something else.
    const leads =
      /^(iam|sts|cloudformation|codebuild|organizations|lambda:(Create|Update|Add|Publish)|glue:Create|ssm:Send|ec2:Run)/;
    expect(allowed.filter((action) => leads.test(action))).toEqual([]);
    expect(JSON.stringify(of('Deny').map(({ Resource }) => Resource))).toMatch(
      /Artifacts.*Sources.*Releases.*function:.*stateMachine:/,
    );
    // IAM's limit for a managed policy, in characters without white space.
    expect(JSON.stringify(document).length).toBeLessThan(6144);
  });

  it('gives no role more or longer policies than IAM takes', () => {
    // IAM user guide, "IAM and AWS STS quotas": characters without white space, policies of a role.
    const all = policiesOf(template);
    expect(all.filter(({ managed, size }) => managed && size > 6144)).toEqual([]);
    for (const role of new Set(all.flatMap(({ roles }) => roles))) {
      const of = all.filter(({ roles }) => roles.includes(role));
      const inline = of.filter(({ managed }) => !managed);
      expect(
        inline.reduce((sum, { size }) => sum + size, 0),
        role,
      ).toBeLessThanOrEqual(10_240);
      expect(of.length - inline.length, role).toBeLessThanOrEqual(10);
    }
  });

  it('takes a boundary of its owner’s, and the roles that functions may have', () => {
    const own = new PipelineStack(
      new App({ context: { permissionsBoundary: 'arn:aws:iam::1:policy/own', roles: 'arn:a,arn:b' } }),
      'Own',
    );
    const text = JSON.stringify(Template.fromStack(own).toJSON());
    expect(text).not.toContain('BoundaryPolicy');
    expect(text).toContain('{"iam:PermissionsBoundary":"arn:aws:iam::1:policy/own"}');
    expect(text).toContain('{"Name":"ALLOWED_ROLES","Type":"PLAINTEXT","Value":"arn:a,arn:b"}');
  });

  it('lets projects have the types that its owner names, with policies of the owner’s', () => {
    const policy = 'arn:aws:iam::1:policy/databases';
    const own = new PipelineStack(
      new App({ context: { types: 'AWS::RDS::*,AWS::EC2::VPC', policies: policy } }),
      'Own',
    );
    const made = Template.fromStack(own);
    expect(JSON.stringify(made.toJSON())).toContain(
      '{"Name":"ALLOWED_TYPES","Type":"PLAINTEXT","Value":"AWS::RDS::*,AWS::EC2::VPC"}',
    );
    made.hasResourceProperties('AWS::IAM::Role', {
      Description: 'Deploys the stacks of released projects',
      ManagedPolicyArns: [policy],
    });
  });

  it('takes packages from the indexes that its owner names, and from nowhere else', () => {
    const own = new PipelineStack(
      new App({
        context: { indexes: 'https://a.test/simple,https://b.test/simple', npmRegistry: 'https://npm.test/' },
      }),
      'Own',
    );
    Template.fromStack(own).allResourcesProperties('AWS::CodeBuild::Project', {
      Environment: {
        EnvironmentVariables: Match.arrayWith([
          { Name: 'NPM_CONFIG_REGISTRY', Type: 'PLAINTEXT', Value: 'https://npm.test/' },
          { Name: 'UV_DEFAULT_INDEX', Type: 'PLAINTEXT', Value: 'https://b.test/simple' },
          { Name: 'UV_INDEX', Type: 'PLAINTEXT', Value: 'https://a.test/simple' },
        ]),
      },
    });
    expect(JSON.stringify(template.toJSON())).not.toMatch(/UV_DEFAULT_INDEX|NPM_CONFIG_REGISTRY/);
  });

  it('keeps uploads, artifacts and releases when it is deleted; buckets are versioned, encrypted, private', () => {
    for (const type of ['AWS::S3::Bucket', 'AWS::DynamoDB::Table']) {
      for (const resource of Object.values(template.findResources(type)))
        expect(resource['DeletionPolicy']).toBe('Retain');
    }
    template.allResourcesProperties('AWS::S3::Bucket', {
      VersioningConfiguration: { Status: 'Enabled' },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      BucketEncryption: Match.anyValue(),
    });
    template.resourceCountIs('AWS::S3::BucketPolicy', 2);
  });

  it('limits how long logs are kept', () => {
    template.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 });
  });

  it('starts for zips below projects/ in the source bucket only', () => {
    template.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.s3'],
        'detail-type': ['Object Created'],
        detail: { object: { key: [{ wildcard: 'projects/*.zip' }] } },
      },
    });
    template.hasResourceProperties('AWS::S3::Bucket', {
      NotificationConfiguration: { EventBridgeConfiguration: { EventBridgeEnabled: true } },
    });
  });

  it('rolls back what an execution leaves that ends where no Catch runs', () => {
    template.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.states'],
        'detail-type': ['Step Functions Execution Status Change'],
        detail: { status: ['ABORTED', 'TIMED_OUT', 'FAILED'], stateMachineArn: [Match.anyValue()] },
      },
    });
    template.resourceCountIs('AWS::StepFunctions::StateMachine', 2);
  });

  it('has a CodeBuild project a buildspec, none privileged', () => {
    template.resourceCountIs('AWS::CodeBuild::Project', 4);
    template.allResourcesProperties('AWS::CodeBuild::Project', {
      Environment: { PrivilegedMode: false },
      Artifacts: { Type: 'NO_ARTIFACTS' },
    });
  });
});
