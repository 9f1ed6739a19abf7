import { describe, expect, it } from 'vitest';
import { UNKNOWN_VALUE } from '../../../core/release/build-plan.ts';
import { type LiveFunction, type Place, twinEnvironment, whyNoTwin } from '../../../core/release/twin.ts';

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
const fn = { environment: { TABLE: UNKNOWN_VALUE, LEVEL: 'info' } };
const live = { environment: { TABLE: 'orders', LEVEL: 'debug', OLD: 'x' }, inVpc: false };
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

  it('says nothing in a VPC, of a function that is new, or without a variable that only the deployment knows', () => {
    expect(why(template(), { ...live, inVpc: true })).toMatch(/VPC/);
    expect(whyNoTwin(fn, place(template()), place({}), live)).toMatch(/changes its Policies/);
    expect(why(template(), { ...live, environment: {} })).toMatch(/TABLE/);
  });
});
