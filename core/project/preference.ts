import type { Traffic } from './config.ts';
import { isObject, objectOf, resolve, resolveText, type Scope } from './intrinsics.ts';

/**
 * SAM's DeploymentPreference, by which CodeDeploy would lead traffic to versions that no smoke test has seen. Its steps and
 * alarms are taken over, the rest is left out of what is deployed. AWS SAM Developer Guide, "DeploymentPreference" and "Deploying
 * serverless applications gradually".
 */

/** Of one function. Alarms are named as far as their names are known before deployment. */
export interface Preference extends Traffic {
  /** What a person should know: what does not count here. */
  remarks: string[];
}

/** What is taken where the name is of a configuration that only CodeDeploy knows. */
const CAREFUL = 'Canary10Percent5Minutes';
const MINUTE = 60;

/** The steps of one of CodeDeploy's own names, which SAM writes without their prefix; undefined of any other. Pure. */
export function stepsOfType(type: string): Preference['steps'] | undefined {
  if (type === 'AllAtOnce') return [{ percent: 100, bakeSeconds: 0 }];
  const [, kind, percents = '', minutes = ''] =
    /^(Canary|Linear)(\d{1,2})Percent(?:Every)?(\d{1,3})Minutes?$/.exec(type) ?? [];
  const percent = Number(percents);
  const bakeSeconds = Number(minutes) * MINUTE;
  if (kind === undefined || percent === 0) return undefined;
  const last = { percent: 100, bakeSeconds: 0 };
  if (kind === 'Canary') return [{ percent, bakeSeconds }, last];
  const count = Math.ceil(100 / percent) - 1;
  return [...Array.from({ length: count }, (_, at) => ({ percent: (at + 1) * percent, bakeSeconds })), last];
}

const listOf = (node: unknown, scope: Scope): unknown[] => {
  const list = resolve(node, scope);
  return Array.isArray(list) ? list : [];
};

/** The names of alarms; of one that the template declares, the name that it has there. */
function alarmsOf(node: unknown, resources: Readonly<Record<string, unknown>>, scope: Scope) {
  const names: string[] = [];
  const unknown: string[] = [];
  for (const entry of listOf(node, scope)) {
    const declared = isObject(entry) ? resources[String(entry['Ref'])] : undefined;
    const written = isObject(declared) ? objectOf(declared['Properties'])['AlarmName'] : entry;
    const name = written === undefined ? undefined : resolveText(written, scope);
    if (name === undefined) unknown.push(isObject(entry) ? String(entry['Ref'] ?? 'an alarm') : 'an alarm');
    else names.push(name);
  }
  return { names, unknown };
}

/**
 * The preference of one function, merged with the template's Globals; undefined where there is none, or it is not enabled. Pure.
 * @param resources all of the template
 */
export function preferenceOf(
  logicalId: string,
  node: unknown,
  resources: Readonly<Record<string, unknown>>,
  scope: Scope,
): Preference | undefined {
  if (!isObject(node)) return undefined;
  const enabled = resolve(node['Enabled'] ?? true, scope);
  if (enabled === false || enabled === 'false') return undefined;
  const type = resolveText(node['Type'] ?? 'AllAtOnce', scope) ?? '';
  const known = stepsOfType(type);
  const { names, unknown } = alarmsOf(node['Alarms'], resources, scope);
  const hooks = Object.keys(objectOf(node['Hooks']));
  const said = `${logicalId}: DeploymentPreference`;
  return {
    steps: known ?? stepsOfType(CAREFUL) ?? [],
    alarms: names,
    remarks: [
      ...(known
        ? []
        : [`${said}: what ${type || 'its Type'} stands for is not known here; ${CAREFUL} counts instead`]),
      ...(unknown.length === 0
        ? []
        : [
            `${said}: ${unknown.join(', ')} has no name before deployment and is not watched; give it an AlarmName`,
          ]),
      ...(hooks.length === 0
        ? []
        : [
            `${said}: its hooks ${hooks.join(', ')} are not called; the function's smoke events take their place`,
          ]),
    ],
  };
}

const secondsOf = ({ steps }: Preference) => steps.reduce((sum, { bakeSeconds }) => sum + bakeSeconds, 0);

/** How traffic goes over for all functions: in the slowest way that one of them asks for, with the alarms of all. Pure. */
export function slowest(preferences: readonly Preference[]): Traffic | undefined {
  const [first] = preferences.toSorted((one, other) => secondsOf(other) - secondsOf(one));
  return first && { steps: first.steps, alarms: [...new Set(preferences.flatMap(({ alarms }) => alarms))] };
}

const KEY = 'DeploymentPreference';

const without = (node: unknown): unknown => {
  if (!isObject(node)) return node;
  const { [KEY]: _, ...rest } = node;
  return rest;
};

/** A template without what CodeDeploy would act on. Pure. */
export function withoutPreferences(document: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const globals = document['Globals'];
  const resources = Object.entries(objectOf(document['Resources'])).map(([id, resource]) => {
    const hasOne = isObject(resource) && isObject(resource['Properties']) && KEY in resource['Properties'];
    return [id, hasOne ? { ...resource, Properties: without(resource['Properties']) } : resource] as const;
  });
  return {
    ...document,
    ...(isObject(globals) && isObject(globals['Function'])
      ? { Globals: { ...globals, Function: without(globals['Function']) } }
      : {}),
    Resources: Object.fromEntries(resources),
  };
}
