import { describe, expect, it } from 'vitest';
import { UNKNOWN_VALUE } from '../../../core/release/build-plan.ts';
import { type LiveFunction, twinEnvironment, whyNoTwin } from '../../../core/release/twin.ts';

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
const fn = { logicalId: 'Fn', environment: { TABLE: UNKNOWN_VALUE, LEVEL: 'info' } };
const live = { environment: { TABLE: 'orders', LEVEL: 'debug', OLD: 'x' }, inVpc: false };
const why = (after: Json, like: LiveFunction = live) => whyNoTwin(fn, after, template(), like);

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

  it('says nothing in a VPC, of a function that is new, or without a variable that only the deployment knows', () => {
    expect(why(template(), { ...live, inVpc: true })).toMatch(/VPC/);
    expect(whyNoTwin(fn, template(), {}, live)).toMatch(/changes its Policies/);
    expect(why(template(), { ...live, environment: {} })).toMatch(/TABLE/);
  });
});
