import {
  CreateStackCommand,
  DeleteStackCommand,
  waitUntilStackCreateComplete,
} from '@aws-sdk/client-cloudformation';
import { describe, expect, it } from 'vitest';
import { cloudformation, describeStack } from '../support/aws.ts';

const STACK = 'conditions';

describe('a condition', () => {
  it.each([
    ['7,0', 'first'],
    ['0,7', 'second'],
  ])('compares what functions make of parameters: %s', async (list, expected) => {
    const part = (index: string) => ({ 'Fn::Select': [index, { 'Fn::Split': [',', { Ref: 'List' }] }] });
    const template = {
      Parameters: { List: { Type: 'String' } },
      Mappings: { Names: { seven: { number: '7' } } },
      Conditions: {
        First: { 'Fn::Equals': [part('0'), { 'Fn::FindInMap': ['Names', 'seven', 'number'] }] },
        Second: {
          'Fn::Equals': [{ 'Fn::Sub': 'is ${List}' }, { 'Fn::Join': ['', ['is 0,', part('1')]] }],
        },
      },
      Resources: { Topic: { Type: 'AWS::SNS::Topic' } },
      Outputs: {
        First: { Condition: 'First', Value: 'first' },
        Second: { Condition: 'Second', Value: 'second' },
      },
    };
    const StackName = STACK;
    await cloudformation.send(
      new CreateStackCommand({
        StackName,
        TemplateBody: JSON.stringify(template),
        Parameters: [{ ParameterKey: 'List', ParameterValue: list }],
      }),
    );
    await waitUntilStackCreateComplete({ client: cloudformation, maxWaitTime: 60 }, { StackName });
    const { Outputs = [] } = (await describeStack(StackName)) ?? {};
    expect(Outputs.map(({ OutputValue }) => OutputValue)).toEqual([expected]);
    await cloudformation.send(new DeleteStackCommand({ StackName }));
  });
});
