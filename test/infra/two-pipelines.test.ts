import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { beforeAll, describe, expect, it } from 'vitest';
import { dashboardName } from '../../core/release/observability.ts';
import { temporaryPrefix } from '../../core/release/pipeline-name.ts';
import { temporaryName } from '../../core/release/probe.ts';
import { PipelineStack } from '../../infra/pipeline-stack.ts';

/** One begins as the other does: what a pattern of the first could reach by mistake. */
const NAMES = ['Plimsoll', 'PlimsollAccept1'] as const;
type Name = (typeof NAMES)[number];

interface Resource {
  Type: string;
  Properties?: Record<string, unknown>;
}

/** Properties by which a template gives a resource its physical name, or a part of it. */
const NAMING = /^(Name|\w+Name|LogGroupName|ManagedPolicyName)$/;
/** Those whose value is not the resource's own name. */
const NOT_OWN = /^(DisplayName|AttributeName|KeyName|FunctionName|IndexName)$/;

/** A value of a template as CloudFormation would fill it in; what others resources are called is marked. */
function text(value: unknown, stack: string): string {
  if (typeof value === 'string')
    return value.replace(/\$\{AWS::(\w+)\}/g, (_all, what) => pseudo(what, stack));
  if (typeof value !== 'object' || value === null) return String(value);
  const [[kind, inner] = ['', undefined]] = Object.entries(value);
  if (kind === 'Ref') {
    const name = String(inner);
    return name.startsWith('AWS::') ? pseudo(name.slice(5), stack) : physical(stack, name);
  }
  if (kind === 'Fn::GetAtt') return physical(stack, String((inner as string[])[0]));
  if (kind === 'Fn::Join') {
    const [by, parts] = inner as [string, unknown[]];
    return parts.map((part) => text(part, stack)).join(by);
  }
  if (kind === 'Fn::Sub') return text(inner, stack);
  throw new Error(`cannot fill in ${JSON.stringify(value)}`);
}

const PSEUDO: Record<string, string> = {
  AccountId: '111111111111',
  Partition: 'aws',
  Region: 'eu-west-1',
  URLSuffix: 'amazonaws.com',
};
const pseudo = (what: string, stack: string): string => (what === 'StackName' ? stack : (PSEUDO[what] ?? ''));

/** CloudFormation names a resource that has no name STACK-LOGICALID-RANDOM, buckets in lower case. */
const physical = (stack: string, logicalId: string): string => `${stack}-${logicalId}-1A2B3C`;

const matches = (pattern: string, arn: string): boolean =>
  new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replace(/\*/g, '.*')
      .replace(/\?/g, '.')}$`,
  ).test(arn);

/** What a pipeline owns, or makes while it releases, by the ARNs that policies name. */
function owned(name: Name, resources: Record<string, Resource>): string[] {
  const id = { id: 'r' };
  const temporary = (['probe', 'twin'] as const).map((kind) =>
    temporaryName(temporaryPrefix(name, kind), id, 'Hello'),
  );
  const at = (service: string, rest: string) => `arn:aws:${service}:eu-west-1:111111111111:${rest}`;
  const names = [...Object.keys(resources).map((logicalId) => physical(name, logicalId)), ...temporary];
  return [
    ...names.flatMap((one) => [
      one,
      at('lambda', `function:${one}`),
      at('logs', `log-group:/aws/lambda/${one}`),
      at('logs', `log-group:${one}`),
      at('sqs', one),
      at('sns', one),
      at('events', `rule/${one}`),
      at('codebuild', `project/${one}`),
      at('dynamodb', `table/${one}`),
      `arn:aws:iam::111111111111:role/${one}`,
      `arn:aws:s3:::${one.toLowerCase()}`,
      `arn:aws:s3:::${one.toLowerCase()}/releases/x`,
    ]),
    at('cloudformation', `stack/${name}/1`),
    `arn:aws:cloudwatch::111111111111:dashboard/${dashboardName(name, 'shop')}`,
    ...['deploy', 'rollback'].flatMap((file) => [
      at('states', `stateMachine:${name}-${file}`),
      at('states', `execution:${name}-${file}:1`),
    ]),
  ];
}

/** The same kinds of things of nobody's pipeline: what a pattern for the stacks that pipelines release reaches, too. */
const others = (arn: string, name: Name): string =>
  arn.replaceAll(name.toLowerCase(), 'shop').replaceAll(name, 'shop');

interface Statement {
  Resource?: unknown;
}
const policiesIn = ({ Properties = {} }: Resource): { Statement: Statement[] }[] =>
  ['PolicyDocument', 'AssumeRolePolicyDocument']
    .flatMap((key) => Properties[key] ?? [])
    .map((one) => one as { Statement: Statement[] });

describe('two pipelines in one account', () => {
  const resources = {} as Record<Name, Record<string, Resource>>;
  beforeAll(() => {
    for (const name of NAMES) {
      const stack = new PipelineStack(new App(), name);
      resources[name] = Template.fromStack(stack).toJSON()['Resources'];
    }
  });

  /** Names that the template itself writes, each with the type of its resource. */
  const written = (name: Name): string[] =>
    Object.values(resources[name]).flatMap(({ Type, Properties = {} }) =>
      // An inline policy has its name in its role alone.
      Type === 'AWS::IAM::Policy'
        ? []
        : Object.entries(Properties).flatMap(([key, value]) =>
            NAMING.test(key) && !NOT_OWN.test(key) ? [`${Type} ${text(value, name)}`] : [],
          ),
    );

  it('share no physical name', () => {
    const [one, two] = NAMES.map(written) as [string[], string[]];
    expect(one).toEqual(expect.arrayContaining(['AWS::StepFunctions::StateMachine Plimsoll-deploy']));
    expect(one.filter((name) => two.includes(name))).toEqual([]);
    expect(dashboardName(NAMES[0], 'shop')).not.toBe(dashboardName(NAMES[1], 'shop'));
  });

  it.each([
    [NAMES[0], NAMES[1]],
    [NAMES[1], NAMES[0]],
  ])('%s has no policy that names what %s owns', (own, other) => {
    const patterns = new Set(
      Object.values(resources[own])
        .flatMap(policiesIn)
        .flatMap(({ Statement }) => Statement)
        .flatMap(({ Resource = [] }) => Resource)
        .map((one) => text(one, own)),
    );
    expect(patterns.size).toBeGreaterThan(40);
    const arns = owned(other, resources[other]);
    const reached = [...patterns].filter((pattern) =>
      // What reaches the stacks of everybody is for those: their names are not known beforehand.
      arns.some((arn) => {
        const elsewhere = others(arn, other);
        return matches(pattern, arn) && (elsewhere === arn || !matches(pattern, elsewhere));
      }),
    );
    expect(reached).toEqual([]);
    // The check can fail: the same patterns do reach what is their own.
    const mine = owned(own, resources[own]);
    expect([...patterns].some((pattern) => mine.some((arn) => matches(pattern, arn)))).toBe(true);
  });

  it.each(['Plimsoll-two', '1', 'A'.repeat(25), ''])('are not named "%s"', (name) => {
    expect(() => new PipelineStack(new App(), name)).toThrow();
  });

  it('take their name from the context', async () => {
    const { pipelineName } = await import('../../infra/pipeline-stack.ts');
    expect(pipelineName(new App())).toBe('Plimsoll');
    expect(pipelineName(new App({ context: { pipeline: 'Second' } }))).toBe('Second');
  });
});
