import { describe, expect, it } from 'vitest';
import { UNKNOWN_VALUE } from '../../../core/release/build-plan.ts';
import {
  type LiveConfiguration,
  type LiveFunction,
  liveFunction,
  type Place,
  twinEnvironment,
  whyNoTwin,
} from '../../../core/release/twin.ts';

type Json = Record<string, unknown>;
const template = (properties: Json = {}, globals: Json = {}): Json => ({
  Globals: { Function: globals },
  Resources: {
    Fn: {
      Type: 'AWS::Serverless::Function',
      Properties: {
        Policies: ['AmazonDynamoDBReadOnlyAccess'],
        Environment: { Variables: { TABLE: { Ref: 'Table' } } },
        ...properties,
      },
    },
  },
});
const fn = { environment: { TABLE: UNKNOWN_VALUE, LEVEL: 'info' }, foreignLayers: 0 };
const live = { environment: { TABLE: 'orders', LEVEL: 'debug', OLD: 'x' }, beyond: [] };
const place = (of: Json, ...given: Json[]): Place => ({ template: of, logicalId: 'Fn', given });
const why = (after: Json, like: LiveFunction = live) => whyNoTwin(fn, place(after), place(template()), like);

describe('a temporary twin', () => {
  it('has what is known of the new environment, and what the live function has of the rest', () => {
    expect(why(template())).toBeUndefined();
    expect(twinEnvironment(fn, live)).toEqual({ TABLE: 'orders', LEVEL: 'info' });
  });

  it('says something though code, memory or a known variable change', () => {
    expect(why(template({ CodeUri: 'other', MemorySize: 2048 }))).toBeUndefined();
  });

  it.each<[string, Json, RegExp]>([
    ['may do', template({ Policies: ['AdministratorAccess'] }), /changes its Policies/],
    ['may do, by Globals', template({}, { Role: 'arn' }), /changes its Role/],
    [
      'reads',
      template({ Environment: { Variables: { TABLE: { Ref: 'Other' } } } }),
      /value of its variable TABLE/,
    ],
  ])('says nothing where the release changes what it %s', (_what, after, message) => {
    expect(why(after)).toMatch(message);
  });

  it('says nothing where a resource beside it changes what it may do', () => {
    const withRole = (action: string, more: Json = {}): Json => {
      const Policies = [{ PolicyDocument: { Statement: [{ Action: action }] } }];
      const Resources = template({ Role: { 'Fn::GetAtt': ['FnRole', 'Arn'] } })['Resources'] as Json;
      return {
        Resources: { ...Resources, FnRole: { Type: 'AWS::IAM::Role', Properties: { Policies } }, ...more },
      };
    };
    const of = (now: Json) => whyNoTwin(fn, place(now), place(withRole('s3:GetObject')), live);
    expect(of(withRole('s3:GetObject', { Other: { Type: 'AWS::IAM::Role' } }))).toBeUndefined();
    expect(of(withRole('s3:PutObject'))).toMatch(/changes its FnRole/);
    expect(of(withRole('s3:GetObject', { More: { Type: 'AWS::IAM::Policy' } }))).toMatch(/changes its More/);
  });

  it('says nothing where its nested stack is given something else, but for a layer', () => {
    const of = (now: Json, before: Json) =>
      whyNoTwin(fn, place(template(), now), place(template(), before), live);
    expect(of({ Layer: 'plimsoll:layer:Core:', Stage: 'a' }, { Layer: 'arn:1', Stage: 'a' })).toBeUndefined();
    expect(of({ Stage: 'b' }, { Stage: 'a' })).toMatch(/another Stage/);
  });

  it('says nothing of a function that is new, or without a variable that only the deployment knows', () => {
    expect(whyNoTwin(fn, place(template()), place({}), live)).toMatch(/changes its Policies/);
    expect(why(template(), { ...live, environment: {} })).toMatch(/TABLE/);
  });

  it.each<[string, LiveConfiguration, RegExp]>([
    [
      'whose variables Lambda hides from whoever may not decrypt them',
      {
        KMSKeyArn: 'arn:aws:kms:eu-central-1:1:key/k',
        Environment: { Error: { ErrorCode: 'AccessDeniedException' } },
      },
      /a key of its own, arn:aws:kms/,
    ],
    [
      'whose key is gone',
      { Environment: { Error: { ErrorCode: 'KMSNotFoundException' } } },
      /does not show its variables \(KMSNotFoundException\)/,
    ],
    [
      'with a key of its own, though its variables are shown',
      { KMSKeyArn: 'k', Environment: { Variables: live.environment } },
      /key/,
    ],
    ['in a VPC', { VpcConfig: { SubnetIds: ['subnet-1'] } }, /VPC/],
    ['with a file system', { FileSystemConfigs: [{}] }, /file system/],
    ['that is an image', { PackageType: 'Image' }, /image/],
    ['on a capacity provider', { CapacityProviderConfig: {} }, /capacity provider/],
    ['that is durable', { DurableConfig: {} }, /durable/],
    ['for tenants', { TenancyConfig: {} }, /tenants/],
  ])('says nothing of a function %s', (_what, configuration, message) => {
    const environment = { Variables: live.environment };
    expect(why(template(), liveFunction({ Environment: environment, ...configuration }))).toMatch(message);
  });

  it('says something of a function as Lambda describes most of them', () => {
    const plain = {
      Environment: { Variables: live.environment },
      VpcConfig: { SubnetIds: [] },
      PackageType: 'Zip',
      TracingConfig: { Mode: 'Active' },
      DeadLetterConfig: { TargetArn: 'arn' },
      SnapStart: { ApplyOn: 'PublishedVersions' },
    };
    expect(liveFunction(plain)).toEqual({ environment: live.environment, beyond: [] });
  });

  it('says nothing with layers of others, or where the code is encrypted with a key of its own', () => {
    expect(whyNoTwin({ ...fn, foreignLayers: 1 }, place(template()), place(template()), live)).toMatch(
      /layers/,
    );
    for (const key of [{ SourceKMSKeyArn: 'k' }, { Code: { SourceKMSKeyArn: 'k' } }])
      expect(why(template(key))).toMatch(/its code is encrypted with a key of its own/);
    expect(why(template({}, { SourceKMSKeyArn: { Ref: 'Key' } }))).toMatch(/SourceKMSKeyArn/);
  });
});
