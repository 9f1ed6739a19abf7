import type { Template } from 'aws-cdk-lib/assertions';

export interface PolicyStatement {
  effect: 'Allow' | 'Deny';
  actions: string[];
  /** With {Partition}, {Region} and {Account} for the pseudo parameters, and <LogicalId> for what the template makes. */
  resources: string[];
  condition: Record<string, Record<string, unknown>>;
}

export interface Policy {
  logicalId: string;
  /** Logical ids of the roles that have it. */
  roles: string[];
  managed: boolean;
  statements: PolicyStatement[];
  /** In characters without white space, as IAM counts. */
  size: number;
}

const PSEUDO: Record<string, string> = {
  'AWS::Partition': '{Partition}',
  'AWS::Region': '{Region}',
  'AWS::AccountId': '{Account}',
};
/** The longest that each can be. */
const LONGEST: Record<string, string> = {
  '{Partition}': 'aws-us-gov',
  '{Region}': 'ap-southeast-2',
  '{Account}': '123456789012',
};

const list = <T>(value: T | T[] | undefined): T[] => (value === undefined ? [] : ([value].flat() as T[]));

/** A value of a template as text. @throws Error at a function that it does not know */
export function textOf(node: unknown): string {
  if (typeof node === 'string') return node;
  const { Ref, ...others } = node as Record<string, unknown>;
  if (typeof Ref === 'string') return PSEUDO[Ref] ?? `<${Ref}>`;
  const join = others['Fn::Join'] as [string, unknown[]] | undefined;
  if (join) return join[1].map(textOf).join(join[0]);
  const attribute = others['Fn::GetAtt'] as [string, string] | undefined;
  if (attribute) return `<${attribute[0]}>`;
  const sub = others['Fn::Sub'];
  if (typeof sub === 'string')
    return sub.replace(/\$\{([\w:]+)\}/g, (_all, name: string) => textOf({ Ref: name }));
  throw new Error(`no text: ${JSON.stringify(node)}`);
}

/** A document with its functions resolved to texts. */
function resolved(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(resolved);
  if (typeof node !== 'object' || node === null) return node;
  const keys = Object.keys(node);
  if (keys.length === 1 && /^(Ref|Fn::)/.test(keys[0] ?? '')) return textOf(node);
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, resolved(value)]));
}

interface Document {
  Statement: {
    Effect: 'Allow' | 'Deny';
    Action: string | string[];
    Resource?: string | string[];
    Condition?: PolicyStatement['condition'];
  }[];
}

const ARN_OF_OWN = 'x'.repeat(110);

/** Every policy of a template that a role has. */
export function policiesOf(template: Template): Policy[] {
  return ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy'].flatMap((type) =>
    Object.entries(template.findResources(type)).map(([logicalId, { Properties }]) => {
      const document = resolved(Properties.PolicyDocument) as Document;
      const text = JSON.stringify(document)
        .replace(/\{\w+\}/g, (token) => LONGEST[token] ?? token)
        .replace(/<\w+>/g, ARN_OF_OWN);
      return {
        logicalId,
        roles: list(Properties.Roles).map((role) => textOf(role).slice(1, -1)),
        managed: type === 'AWS::IAM::ManagedPolicy',
        statements: document.Statement.map(({ Effect, Action, Resource, Condition }) => ({
          effect: Effect,
          actions: list(Action),
          resources: list(Resource),
          condition: Condition ?? {},
        })),
        size: text.length,
      };
    }),
  );
}
