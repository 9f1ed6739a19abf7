import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { beforeAll, describe, expect, it } from 'vitest';
import { arnPatterns, SERVICES } from '../../infra/aws/facts.ts';
import { PipelineStack } from '../../infra/pipeline-stack.ts';
import { arnOf, overlap } from '../support/arns.ts';
import { type PolicyStatement, policiesOf } from '../support/policies.ts';

/** Keys that any action may have (IAM user guide, "AWS global condition context keys"), of those that are used here. */
const GLOBAL = [
  'aws:PrincipalArn',
  'aws:RequestedRegion',
  'aws:ResourceAccount',
  'aws:SecureTransport',
  'aws:SourceAccount',
  'aws:SourceArn',
];

/** Resources that the Service Authorization Reference does not list for an action, and AWS takes all the same. */
const ALSO: Readonly<Record<string, string>> = {
  // CloudFormation user guide, "Control access with IAM": a template with a transform needs it on the transform, too.
  'cloudformation:CreateChangeSet': 'arn:{Partition}:cloudformation:{Region}:aws:transform/*',
};

const known = (action: string): boolean => {
  const [service = '', name = ''] = action.split(':');
  return SERVICES[service]?.actions[name] !== undefined;
};

/** What is wrong with one resource of an action; nothing where it is right. */
function wrongResource(action: string, resource: string): string[] {
  // Which actions may be allowed on all is another test's matter.
  if (resource === '*') return [];
  const patterns = [...arnPatterns(action), ...(ALSO[action] ? [ALSO[action]] : [])];
  const fits = patterns.some((pattern) => overlap(pattern, resource));
  return fits ? [] : [`${action} does not take ${resource}, but ${patterns.join(', ') || 'no resource'}`];
}

/** Condition keys of a statement that some of its actions do not have. */
function wrongKeys({ actions, condition }: PolicyStatement): string[] {
  const keys = Object.values(condition).flatMap((test) => Object.keys(test));
  return actions.flatMap((action) => {
    const [service = '', name = ''] = action.split(':');
    const own = SERVICES[service]?.keys[name] ?? [];
    return keys
      .filter((key) => !GLOBAL.includes(key) && !own.includes(key))
      .map((key) => `${action} has no condition key ${key}`);
  });
}

describe('every statement of every role', () => {
  let statements: PolicyStatement[];
  beforeAll(() => {
    const template = Template.fromStack(new PipelineStack(new App(), 'Plimsoll'));
    const { Resources } = template.toJSON() as { Resources: Record<string, { Type: string }> };
    const types = new Map(Object.entries(Resources).map(([id, { Type }]) => [id, Type]));
    statements = policiesOf(template)
      // CloudFormation's role is generated from the same data; the boundary grants nothing.
      .filter(({ logicalId, roles }) =>
        [logicalId, ...roles].every((one) => !/^(CloudFormationRole|Boundary)/.test(one)),
      )
      .flatMap(({ statements: all }) => all)
      .map((one) => ({ ...one, resources: one.resources.map((text) => arnOf(text, types)) }));
  });

  it('is looked at', () => {
    expect(statements.length).toBeGreaterThan(80);
    expect(new Set(statements.flatMap(({ actions }) => actions)).size).toBeGreaterThan(60);
  });

  it('names actions that AWS has', () => {
    expect(statements.flatMap(({ actions }) => actions.filter((action) => !known(action)))).toEqual([]);
  });

  it('names resources of a kind that each of its actions takes', () => {
    expect(
      statements.flatMap(({ actions, resources }) =>
        actions.flatMap((action) => resources.flatMap((resource) => wrongResource(action, resource))),
      ),
    ).toEqual([]);
  });

  it('names conditions that each of its actions has, or any', () => {
    expect(statements.flatMap(({ condition }) => Object.keys(condition)).length).toBeGreaterThan(0);
    expect(statements.flatMap(wrongKeys)).toEqual([]);
  });

  it('would be told where it were wrong', () => {
    const queue = 'arn:{Partition}:sqs:{Region}:{Account}:orders';
    expect(known('lambda:InvokeFunctions')).toBe(false);
    expect(wrongResource('lambda:InvokeFunction', queue)).toHaveLength(1);
    expect(
      wrongResource('logs:DescribeLogGroups', 'arn:{Partition}:logs:{Region}:{Account}:log-group:*'),
    ).toHaveLength(1);
    const passing = { effect: 'Allow' as const, actions: ['iam:PassRole'], resources: ['*'] };
    expect(wrongKeys({ ...passing, condition: { StringEquals: { 'iam:PassedToService': 'x' } } })).toEqual(
      [],
    );
    expect(
      wrongKeys({ ...passing, condition: { StringEquals: { 'iam:PassedToServices': 'x' } } }),
    ).toHaveLength(1);
    expect(wrongKeys({ ...passing, condition: { StringEquals: { 'aws:SourceAcount': 'x' } } })).toHaveLength(
      1,
    );
  });
});
