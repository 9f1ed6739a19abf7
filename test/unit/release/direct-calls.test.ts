import { describe, expect, it } from 'vitest';
import { directCaller } from '../../../core/release/direct-calls.ts';

const withResource = (Type: string, Properties: object, more: object = {}) => ({
  Resources: {
    Fn: { Type: 'AWS::Serverless::Function', Properties: { AutoPublishAlias: 'live' } },
    Other: { Type, Properties },
  },
  ...more,
});

describe('a function behind an alias', () => {
  it.each<[string, string, object]>([
    ['a mapping', 'AWS::Lambda::EventSourceMapping', { FunctionName: { Ref: 'Fn' } }],
    ['a rule', 'AWS::Events::Rule', { Targets: [{ Arn: { 'Fn::GetAtt': ['Fn', 'Arn'] }, Id: 'a' }] }],
    ['a topic', 'AWS::SNS::Topic', { Subscription: [{ Endpoint: { 'Fn::GetAtt': 'Fn.Arn' } }] }],
    [
      'a workflow',
      'AWS::Serverless::StateMachine',
      { DefinitionSubstitutions: { F: { 'Fn::Sub': '${Fn.Arn}' } } },
    ],
    [
      'an API',
      'AWS::ApiGateway::Method',
      { Integration: { Uri: { 'Fn::Sub': 'arn:x/${Fn.Arn}/invocations' } } },
    ],
    ['another function', 'AWS::Serverless::Function', { Environment: { Variables: { F: { Ref: 'Fn' } } } }],
    ['a bucket', 'AWS::S3::Bucket', { A: { 'Fn::Sub': ['${x}', { x: { 'Fn::GetAtt': ['Fn', 'Arn'] } }] } }],
    [
      'somebody else',
      'AWS::Lambda::Permission',
      { FunctionName: { Ref: 'Fn' }, Principal: 's3.amazonaws.com' },
    ],
  ])('is called past it by %s', (_what, type, properties) => {
    expect(directCaller(withResource(type, properties), 'Fn', false)).toBe('Other');
  });

  it.each<[string, string, object]>([
    ['a mapping', 'AWS::Lambda::EventSourceMapping', { FunctionName: { Ref: 'Fn.Alias' } }],
    ['a rule', 'AWS::Events::Rule', { Targets: [{ Arn: { 'Fn::Sub': '${Fn.Arn}:live' } }] }],
    ['another function', 'AWS::Serverless::Function', { Environment: { F: { 'Fn::Sub': '${Fn}:live' } } }],
    ['a version', 'AWS::Lambda::Version', { FunctionName: { Ref: 'Fn' } }],
    ['an alarm', 'AWS::CloudWatch::Alarm', { Dimensions: [{ Value: { Ref: 'Fn' } }] }],
    ['a function of a longer name', 'AWS::SNS::Topic', { Endpoint: { 'Fn::Sub': '${FnTwo.Arn}' } }],
  ])('is not by %s that names the alias, or calls nothing', (_what, type, properties) => {
    expect(directCaller(withResource(type, properties), 'Fn', false)).toBeUndefined();
  });

  it('may be by whoever nests its stack and is handed its ARN', () => {
    const outputs = { Outputs: { Arn: { Value: { 'Fn::GetAtt': ['Fn', 'Arn'] } } } };
    const template = withResource('AWS::SNS::Topic', {}, outputs);
    expect(directCaller(template, 'Fn', true)).toBe('Arn');
    expect(directCaller(template, 'Fn', false)).toBeUndefined();
  });
});
