import { describe, expect, it } from 'vitest';
import { ALL, type Rights, refuseForeignRights, withBoundary } from '../../../core/release/boundary.ts';

type Json = Record<string, unknown>;
const MINE = 'arn:aws:iam::1:policy/mine';
const rights = {
  boundary: MINE,
  roles: ['arn:aws:iam::1:role/allowed'],
  unbuilt: 'reject' as const,
  types: [] as string[],
};
const scope = { parameters: { Given: 'arn:aws:iam::1:role/allowed' }, mappings: {}, conditions: {} };
const fn = (properties: Json, type = 'AWS::Serverless::Function'): Json => ({
  Resources: {
    Fn: { Type: type, Properties: properties },
    Own: { Type: 'AWS::IAM::Role', Properties: {} },
    Topic: { Type: 'AWS::SNS::Topic' },
  },
});
const check =
  (template: Json, given: Rights = rights) =>
  () =>
    refuseForeignRights('template.yaml', { template, scope }, given);

describe('a role of a function', () => {
  it.each([
    ['one of the template', { 'Fn::GetAtt': ['Own', 'Arn'] }],
    ['one of the template, by Sub', { 'Fn::Sub': '${Own.Arn}' }],
    ['one that the pipeline was told of', 'arn:aws:iam::1:role/allowed'],
    ['such a one in a parameter', { Ref: 'Given' }],
    ['either of these', { 'Fn::If': ['C', { 'Fn::GetAtt': ['Own', 'Arn'] }, { Ref: 'AWS::NoValue' }] }],
  ])('may be %s', (_what, Role) => {
    expect(check(fn({ Role }))).not.toThrow();
  });

  it('may be any where the pipeline’s owner says so', () => {
    const all = { ...rights, roles: [ALL] };
    for (const Role of ['arn:aws:iam::1:role/admin', { 'Fn::ImportValue': 'admin' }, { Ref: 'Unknown' }])
      expect(() =>
        refuseForeignRights('template.yaml', { template: fn({ Role }), scope }, all),
      ).not.toThrow();
  });

  it('is refused with the command that allows it', () => {
    expect(check(fn({ Role: 'arn:aws:iam::1:role/admin' }))).toThrow(
      /let templates name it: npx cdk deploy -c roles=arn:aws:iam::1:role\/admin$/,
    );
    expect(check(fn({ Role: { 'Fn::ImportValue': 'admin' } }))).toThrow(
      /Give it as a parameter, --parameter NAME=ARN/,
    );
  });

  it.each([
    ['somebody else’s', 'arn:aws:iam::1:role/admin'],
    ['somebody else’s, put together', { 'Fn::Sub': 'arn:aws:iam::${AWS::AccountId}:role/admin' }],
    ['somebody else’s, imported', { 'Fn::ImportValue': 'admin' }],
    ['somebody else’s in one case', { 'Fn::If': ['C', { 'Fn::GetAtt': ['Own', 'Arn'] }, 'arn:admin'] }],
    ['another resource', { 'Fn::GetAtt': ['Topic', 'Arn'] }],
    ['a resource that is not there', { 'Fn::GetAtt': ['Nothing', 'Arn'] }],
    ['a parameter without a known value', { Ref: 'Unknown' }],
  ])('may not be %s', (_what, Role) => {
    expect(check(fn({ Role }))).toThrow(/Resources\.Fn\.Role: .*no role of this template/);
    expect(check(fn({ Role }, 'AWS::Lambda::Function'))).toThrow(/no role of this template/);
    expect(check({ Globals: { Function: { Role } }, ...fn({}) })).toThrow(/Globals\.Function\.Role/);
  });
});

describe('what nobody can look into', () => {
  it.each<[string, Json, RegExp]>([
    [
      'another transform',
      { ...fn({}), Transform: ['Some::Macro', 'AWS::Serverless-2016-10-31'] },
      /^template.yaml: Transform/,
    ],
    [
      'a macro',
      { Resources: { X: { 'Fn::Transform': { Name: 'AWS::Include' } } } },
      /template\.Resources\.X\.Fn::Transform: only/,
    ],
    ['a loop', { Resources: { 'Fn::ForEach::Roles': ['Name', ['a'], {}] } }, /Fn::ForEach::Roles: only/],
  ])('is refused: %s', (_what, template, message) => {
    expect(check(template)).toThrow(message);
  });

  it('is nothing of a plain SAM template, or of one without SAM', () => {
    expect(check({ ...fn({}), Transform: 'AWS::Serverless-2016-10-31' })).not.toThrow();
    expect(check(fn({}))).not.toThrow();
  });
});

describe('what changes something that it names', () => {
  const policy = (Type: string, properties: Json) => ({
    Resources: {
      It: { Type, Properties: properties },
      Mine: { Type: 'AWS::S3::Bucket' },
      Queue: { Type: 'AWS::SQS::Queue' },
      Setting: { Type: 'AWS::SSM::Parameter', Properties: { Value: 'theirs' } },
      Custom: { Type: 'Custom::Name' },
      Hello: { Type: 'AWS::Serverless::Function' },
    },
  });

  it.each<[string, Json, string]>([
    ['AWS::S3::BucketPolicy', { Bucket: 'plimsoll-artifacts' }, 'Bucket'],
    ['AWS::S3::BucketPolicy', { Bucket: { 'Fn::Sub': 'plimsoll-${AWS::AccountId}' } }, 'Bucket'],
    ['AWS::S3::BucketPolicy', { Bucket: { Ref: 'SomeParameter' } }, 'Bucket'],
    ['AWS::S3::BucketPolicy', { Bucket: { 'Fn::GetAtt': ['Setting', 'Value'] } }, 'Bucket'],
    ['AWS::S3::BucketPolicy', { Bucket: { 'Fn::GetAtt': ['Custom', 'Name'] } }, 'Bucket'],
    ['AWS::Lambda::Permission', { FunctionName: { 'Fn::Sub': '${Custom.Name}' } }, 'FunctionName'],
    ['AWS::SQS::QueuePolicy', { Queues: [{ Ref: 'Queue' }, 'https://queue'] }, 'Queues'],
    ['AWS::Lambda::Permission', { FunctionName: 'Plimsoll-HandlersPlan' }, 'FunctionName'],
    ['AWS::Lambda::EventSourceMapping', { FunctionName: { 'Fn::ImportValue': 'x' } }, 'FunctionName'],
    ['AWS::IAM::Policy', { Roles: ['admin'] }, 'Roles'],
    [
      'AWS::Lambda::Permission',
      { FunctionName: { 'Fn::If': ['C', { Ref: 'Hello' }, 'other'] } },
      'FunctionName',
    ],
  ])('may not name what others have made: %s %j', (type, properties, key) => {
    expect(check(policy(type, properties))).toThrow(`Resources.It.${key}: `);
  });

  it.each<[string, Json]>([
    ['AWS::S3::BucketPolicy', { Bucket: { Ref: 'Mine' } }],
    ['AWS::SQS::QueuePolicy', { Queues: [{ Ref: 'Queue' }] }],
    ['AWS::Lambda::Permission', { FunctionName: { 'Fn::GetAtt': ['Hello', 'Arn'] } }],
    ['AWS::Lambda::Permission', { FunctionName: { 'Fn::Sub': '${Hello.Arn}:live' } }],
    [
      'AWS::Lambda::Permission',
      { FunctionName: { 'Fn::If': ['C', { Ref: 'Hello' }, { Ref: 'AWS::NoValue' }] } },
    ],
    ['AWS::SNS::Subscription', { TopicArn: 'arn:aws:sns:us-east-1:1:theirs' }],
  ])('may name what the template makes: %s %j', (type, properties) => {
    expect(check(policy(type, properties))).not.toThrow();
  });
});

describe('a nested template', () => {
  const outer = {
    template: {
      Resources: {
        Role: { Type: 'AWS::IAM::Role' },
        Bucket: { Type: 'AWS::S3::Bucket' },
        Setting: { Type: 'AWS::SSM::Parameter' },
      },
    },
    scope: { parameters: {}, mappings: {}, conditions: {} },
  };
  const nested = (given: Json) => () =>
    refuseForeignRights(
      'data.yaml',
      {
        template: {
          Resources: {
            Fn: { Type: 'AWS::Lambda::Function', Properties: { Role: { Ref: 'TheRole' } } },
            Policy: { Type: 'AWS::S3::BucketPolicy', Properties: { Bucket: { Ref: 'TheBucket' } } },
          },
        },
        scope: { parameters: {}, mappings: {}, conditions: {} },
        outer: { given, within: outer },
      },
      rights,
    );
  const role = { 'Fn::GetAtt': ['Role', 'Arn'] };
  const bucket = { Ref: 'Bucket' };

  it('may work with what the template that nests it makes and gives to it', () => {
    expect(nested({ TheRole: role, TheBucket: bucket })).not.toThrow();
  });

  it.each<[string, Json, RegExp]>([
    [
      'a role of others',
      { TheRole: 'arn:aws:iam::1:role/admin', TheBucket: bucket },
      /data\.yaml: .*Fn\.Role/,
    ],
    [
      'a role that a parameter of the account names',
      { TheRole: { 'Fn::GetAtt': ['Setting', 'Value'] }, TheBucket: bucket },
      /Fn\.Role/,
    ],
    ['no role at all', { TheBucket: bucket }, /Fn\.Role/],
    ['a bucket of others', { TheRole: role, TheBucket: 'theirs' }, /data\.yaml: Resources\.Policy\.Bucket/],
    [
      'a bucket that a parameter of the account names',
      { TheRole: role, TheBucket: { 'Fn::GetAtt': ['Setting', 'Value'] } },
      /Policy\.Bucket/,
    ],
  ])('may not where it is given %s', (_what, given, message) => {
    expect(nested(given)).toThrow(message);
  });
});

describe('a role at any depth', () => {
  it('of a rule, a state machine or a target must be of the template, too', () => {
    const rule = (RoleArn: unknown) => ({
      Resources: {
        Rule: { Type: 'AWS::Events::Rule', Properties: { Targets: [{ Id: 'a', RoleArn }] } },
        Own: { Type: 'AWS::IAM::Role' },
      },
    });
    expect(check(rule('arn:aws:iam::1:role/admin'))).toThrow(
      /Resources\.Rule\.Targets\[0\]\.RoleArn: .*no role/,
    );
    expect(check(rule({ 'Fn::GetAtt': ['Own', 'Arn'] }))).not.toThrow();
  });
});

describe('the boundary', () => {
  it('may not be another one', () => {
    expect(check(fn({ PermissionsBoundary: 'arn:other' }))).toThrow(/leave it out/);
    expect(check(fn({ PermissionsBoundary: MINE }))).not.toThrow();
    const role = {
      Resources: { R: { Type: 'AWS::IAM::Role', Properties: { PermissionsBoundary: 'arn:o' } } },
    };
    expect(check(role)).toThrow(/Resources\.R\.PermissionsBoundary/);
  });

  it('is put on every role that the template makes, itself or through SAM, and on nothing else', () => {
    const template = {
      Resources: {
        A: { Type: 'AWS::Serverless::Function', Properties: { Policies: ['AdministratorAccess'] } },
        B: { Type: 'AWS::Serverless::Function', Properties: { Role: 'arn:aws:iam::1:role/allowed' } },
        C: { Type: 'AWS::IAM::Role' },
        D: { Type: 'AWS::Serverless::StateMachine', Properties: {} },
        E: { Type: 'AWS::SNS::Topic' },
      },
    };
    const once = withBoundary(template, rights);
    const resources = once['Resources'] as Record<string, { Properties?: Json }>;
    expect(Object.keys(resources).filter((id) => resources[id]?.Properties?.['PermissionsBoundary'])).toEqual(
      ['A', 'C', 'D'],
    );
    expect(withBoundary(once, rights)).toEqual(once);
    const shared = { Globals: { Function: { Role: 'arn:aws:iam::1:role/allowed' } }, ...fn({}) };
    expect(JSON.stringify(withBoundary(shared, rights)['Resources'])).toBe(
      JSON.stringify({
        Fn: { Type: 'AWS::Serverless::Function', Properties: {} },
        Own: { Type: 'AWS::IAM::Role', Properties: { PermissionsBoundary: MINE } },
        Topic: { Type: 'AWS::SNS::Topic' },
      }),
    );
  });
});

describe('a type of resource', () => {
  const of = (Type: string, Properties: Json = {}): Json => ({ Resources: { Extra: { Type, Properties } } });

  it.each<[string, Json]>([
    ['AWS::Route53::RecordSetGroup', {}],
    ['AWS::RDS::DBInstance', {}],
    ['AWS::Serverless::CapacityProvider', {}],
    ['Acme::Service::Thing', {}],
    ['undefined', {}],
  ])('%s is rejected before anything changes where CloudFormation could not make it', (type, properties) => {
    expect(check(of(type, properties))).toThrow(
      `template.yaml: Resources.Extra: ${type} is no type that the pipeline may create; deploy it in a stack of its own, and give its name or ARN to this one as a parameter; or let the pipeline create it: npx cdk deploy -c types=${type} -c policies=ARN`,
    );
  });

  it('is taken where the pipeline’s owner has named it, or what it begins with', () => {
    const owner = (...types: string[]) => ({ ...rights, types });
    const database = of('AWS::RDS::DBInstance');
    expect(check(database, owner('AWS::RDS::DBInstance'))).not.toThrow();
    expect(check(database, owner('AWS::RDS::*'))).not.toThrow();
    expect(check(database, owner('*'))).not.toThrow();
    expect(check(database, owner('AWS::RDS::DB', 'AWS::EC2::*'))).toThrow('AWS::RDS::DBInstance is no type');
    const records = of('AWS::Serverless::Api', { Domain: { Route53: { HostedZoneId: 'Z' } } });
    expect(check(records, owner('AWS::Route53::RecordSetGroup'))).not.toThrow();
  });

  it('that joins two others joins those of the template', () => {
    const ends = (Source: unknown, Destination: unknown) => ({
      ...of('AWS::Serverless::Connector', { Source, Destination }),
    });
    expect(check(ends({ Id: 'Extra' }, { Id: 'Extra' }))).not.toThrow();
    expect(check(ends({ Id: 'Extra' }, [{ Id: 'Extra' }, { Arn: 'arn:aws:sqs:::other' }]))).toThrow(
      'template.yaml: Resources.Extra.Properties.Destination: {"Arn":"arn:aws:sqs:::other"} is not of this template',
    );
    const embedded = {
      Resources: {
        Topic: {
          Type: 'AWS::SNS::Topic',
          Connectors: { One: { Properties: { Destination: { Arn: 'x' }, Permissions: ['Write'] } } },
        },
      },
    };
    expect(check(embedded)).toThrow('Resources.Topic.Connectors.One.Properties.Destination');
  });

  it('that SAM makes of another one is rejected, too', () => {
    const Domain = { DomainName: 'x.example', Route53: { HostedZoneId: 'Z' } };
    for (const type of ['AWS::Serverless::Api', 'AWS::Serverless::HttpApi']) {
      expect(check(of(type, { Domain }))).toThrow(/RecordSetGroup, which SAM makes of Domain.Route53/);
      expect(check(of(type, { Domain: { DomainName: 'x.example' } }))).not.toThrow();
    }
  });

  it.each([
    'AWS::DynamoDB::Table',
    'AWS::Cognito::UserPoolGroup',
    'AWS::IAM::ManagedPolicy',
    'AWS::Serverless::Function',
    'AWS::Serverless::GraphQLApi',
    'AWS::CloudFormation::Stack',
    'AWS::CDK::Metadata',
    'Custom::Name',
  ])('%s is none to reject', (type) => {
    expect(check(of(type))).not.toThrow();
  });
});
