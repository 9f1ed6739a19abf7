import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { beforeAll, describe, expect, it } from 'vitest';
import { arnPatterns, covers, TYPE_ACTIONS } from '../../infra/aws/facts.ts';
import { NOT_GRANTED } from '../../infra/deploy-permissions.ts';
import { PipelineStack } from '../../infra/pipeline-stack.ts';
import { type Policy, policiesOf } from '../support/policies.ts';

describe('the role that CloudFormation deploys stacks with', () => {
  let policies: Policy[];
  beforeAll(() => {
    const template = Template.fromStack(new PipelineStack(new App(), 'Plimsoll'));
    policies = policiesOf(template).filter(({ roles }) =>
      roles.some((one) => one.startsWith('CloudFormationRole')),
    );
  });

  /** Whether the role may do an action to some resource that the action takes. */
  const mayDo = (action: string) =>
    policies
      .flatMap(({ statements }) => statements)
      .some(
        ({ effect, actions, resources }) =>
          effect === 'Allow' &&
          actions.includes(action) &&
          resources.some((one) => one === '*' || arnPatterns(action).some((arn) => covers(one, arn))),
      );
  const mayNot = (action: string) => Object.keys(NOT_GRANTED).some((one) => covers(one, action));

  it('may do all that the registry’s schemas say CloudFormation does to the types of a project, tags included', () => {
    const rejected = Object.entries(TYPE_ACTIONS).flatMap(([type, actions]) =>
      actions.filter((action) => !mayDo(action) && !mayNot(action)).map((action) => `${type}: ${action}`),
    );
    expect(rejected).toEqual([]);
  });

  it('knows the types by their tags: each of a release’s stack is tagged anew with every release', () => {
    const tagging = Object.entries(TYPE_ACTIONS).filter(([, actions]) =>
      actions.some((action) => /:(Un)?Tag|Tags/.test(action)),
    );
    expect(tagging.length).toBeGreaterThan(15);
    for (const [service, un] of [
      ['events', 'UntagResource'],
      ['cloudwatch', 'UntagResource'],
      ['dynamodb', 'UntagResource'],
      ['sns', 'UntagResource'],
      ['logs', 'UntagResource'],
      ['scheduler', 'UntagResource'],
      ['sqs', 'UntagQueue'],
      ['ssm', 'RemoveTagsFromResource'],
    ] as const) {
      expect(mayDo(`${service}:${un}`), `${service}:${un}`).toBe(true);
      expect(
        tagging.some(([, actions]) => actions.includes(`${service}:${un}`)),
        un,
      ).toBe(true);
    }
  });

  it('lacks nothing without a reason that still holds', () => {
    const named = Object.values(TYPE_ACTIONS).flat();
    expect(Object.keys(NOT_GRANTED).filter((one) => !named.some((action) => covers(one, action)))).toEqual(
      [],
    );
    expect(named.filter((action) => mayNot(action) && mayDo(action))).toEqual([]);
  });

  it('reads secrets and parameters that a template names by dynamic references, and invokes custom resources', () => {
    for (const action of ['secretsmanager:GetSecretValue', 'ssm:GetParameters', 'lambda:InvokeFunction'])
      expect(mayDo(action), action).toBe(true);
  });

  it('gives functions layers of other accounts', () => {
    const onLayers = policies
      .flatMap(({ statements }) => statements)
      .filter(({ actions }) => actions.includes('lambda:GetLayerVersion'))
      .flatMap(({ resources }) => resources);
    expect(onLayers).toContain('arn:{Partition}:lambda:{Region}:*:layer:*:*');
  });

  it('uses keys only through the services that keep something under them', () => {
    const keys = policies
      .flatMap(({ statements }) => statements)
      .filter(({ actions }) =>
        actions.some((one) => /^kms:(\w*crypt|GenerateDataKey|CreateGrant)/.test(one)),
      );
    expect(keys).toHaveLength(1);
    expect(keys[0]?.condition).toEqual({ StringLike: { 'kms:ViaService': '*.{Region}.amazonaws.com' } });
  });

  it('may be given to every service that a template of SAM gives a role to', () => {
    const [passing] = policies.flatMap(({ statements }) =>
      statements.filter(({ actions }) => actions.includes('iam:PassRole')),
    );
    expect(passing?.condition['StringEquals']?.['iam:PassedToService']).toEqual(
      expect.arrayContaining(['lambda.amazonaws.com', 'scheduler.amazonaws.com', 'states.amazonaws.com']),
    );
  });

  it('is denied the pipeline itself, whatever the action', () => {
    const denied = policies.flatMap(({ statements }) => statements.filter(({ effect }) => effect === 'Deny'));
    expect(denied).toHaveLength(1);
    const services = denied[0]?.actions.map((one) => one.split(':')[0]);
    expect(services).toEqual(
      expect.arrayContaining(['s3', 'lambda', 'sns', 'iam', 'states', 'cloudformation']),
    );
    expect(denied[0]?.actions.every((one) => one.endsWith(':*'))).toBe(true);
  });
});
