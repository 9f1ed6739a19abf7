import { Aws } from 'aws-cdk-lib';
import types from '../../core/release/resource-types.json' with { type: 'json' };
import iam from './iam-actions.json' with { type: 'json' };

/** What AWS publishes about permissions. Both files are written by scripts/aws-facts.mjs and tell their source and date. */

interface Service {
  /** ARN pattern of each kind of resource, with {Partition}, {Region} and {Account}. */
  arns: Record<string, string>;
  conditions: string[];
  /** Kinds of resources that an action takes; none where it takes no resource. */
  actions: Record<string, string[]>;
  /** Condition keys of the service's own that an action has; those of any service are left out. */
  keys: Record<string, string[]>;
}

export const SERVICES: Readonly<Record<string, Service>> = iam.services as Record<string, unknown> as Record<
  string,
  Service
>;

/** Actions that CloudFormation calls for a resource of a type: to create, read, update, delete and tag it. */
export const TYPE_ACTIONS: Readonly<Record<string, string[]>> = types.types;

const TOKENS: Record<string, string> = {
  Partition: Aws.PARTITION,
  Region: Aws.REGION,
  Account: Aws.ACCOUNT_ID,
};

/** Whether a pattern with stars covers another. */
export const covers = (pattern: string, other: string): boolean =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`, 's').test(other);

/**
 * Patterns of the ARNs that an action takes, with {Partition}, {Region} and {Account}; none where it takes no resource.
 * @throws Error naming an action that AWS does not have
 */
export function arnPatterns(action: string): string[] {
  const [service = '', name = ''] = action.split(':');
  const known = SERVICES[service];
  const kinds = known?.actions[name];
  if (!known || !kinds) throw new Error(`${action} is no action of IAM; see scripts/aws-facts.mjs`);
  // The reference has two pages on this prefix, for APIs of either kind; each names its own resources for the same actions.
  const all = service === 'apigateway' ? Object.keys(known.arns) : kinds;
  return all.map((kind) => known.arns[kind] ?? '*');
}

/** Actions on tags take whatever can have tags; the others of a service tell which of that is meant. */
const ON_TAGS = /:(Add|Remove|Untag|Tag|List)\w*Tags?\w*$|:(Tag|Untag)Resource$/;

/** All resources of the account that one of these actions, all of one service, can be done to. */
export function resourcesOf(actions: readonly string[]): string[] {
  const others = actions.filter((one) => !ON_TAGS.test(one));
  const patterns = [...new Set((others.length > 0 ? others : actions).flatMap(arnPatterns))].sort();
  const widest = patterns.filter((one) => !patterns.some((other) => other !== one && covers(other, one)));
  return widest.map((one) => one.replace(/\{(\w+)\}/g, (_all, name: string) => TOKENS[name] ?? '*'));
}
