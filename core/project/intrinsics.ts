/** Resolves the intrinsics whose value is known before deployment: parameters, mappings, conditions on both. */

export interface Scope {
  parameters: Readonly<Record<string, string>>;
  mappings: Readonly<Record<string, unknown>>;
  conditions: Readonly<Record<string, unknown>>;
}

/** Marks a value that only CloudFormation can know. */
export const UNKNOWN = Symbol('known only to CloudFormation');

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The members of a node, none where it has none. */
export const objectOf = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {});

/** A member of a map that is keyed by names that a user gave, and may be `constructor`; undefined where it has none. */
export const ownValue = <T>(map: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(map, key) ? map[key] : undefined;

type Resolver = (argument: unknown, scope: Scope) => unknown;

const text = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined;

function substitute(argument: unknown, scope: Scope): unknown {
  const [template, locals] = Array.isArray(argument) ? argument : [argument, {}];
  if (typeof template !== 'string') return UNKNOWN;
  let known = true;
  const result = template.replace(/\$\{(!?)([^}]*)\}/g, (whole, literal: string, name: string) => {
    if (literal) return `\${${name}}`;
    const local = isObject(locals) && Object.hasOwn(locals, name) ? resolve(locals[name], scope) : UNKNOWN;
    const value = text(local === UNKNOWN ? resolve({ Ref: name }, scope) : local);
    if (value === undefined) known = false;
    return value ?? whole;
  });
  return known ? result : UNKNOWN;
}

function findInMap(argument: unknown, scope: Scope): unknown {
  if (!Array.isArray(argument)) return UNKNOWN;
  const keys = argument.slice(0, 3).map((part) => text(resolve(part, scope)));
  let value: unknown = scope.mappings;
  for (const key of keys) {
    if (key === undefined || !isObject(value) || !Object.hasOwn(value, key)) return UNKNOWN;
    value = value[key];
  }
  return value;
}

function truth(argument: unknown, scope: Scope): unknown {
  const value = resolve(argument, scope);
  return typeof value === 'boolean' ? value : UNKNOWN;
}

/** All of the list's truths, or UNKNOWN when one is. */
function truths(argument: unknown, scope: Scope): boolean[] | typeof UNKNOWN {
  const values = Array.isArray(argument) ? argument.map((part) => truth(part, scope)) : [UNKNOWN];
  return values.includes(UNKNOWN) ? UNKNOWN : (values as boolean[]);
}

const RESOLVERS: Record<string, Resolver> = {
  Ref: (name, scope) =>
    typeof name === 'string' && Object.hasOwn(scope.parameters, name) ? scope.parameters[name] : UNKNOWN,
  Condition: (name, scope) => {
    if (typeof name !== 'string' || !Object.hasOwn(scope.conditions, name)) return UNKNOWN;
    // A condition does not see itself, so that a circle of conditions ends as unknown.
    const { [name]: definition, ...others } = scope.conditions;
    return truth(definition, { ...scope, conditions: others });
  },
  'Fn::Sub': substitute,
  'Fn::FindInMap': findInMap,
  'Fn::Join': (argument, scope) => {
    if (!Array.isArray(argument) || typeof argument[0] !== 'string' || !Array.isArray(argument[1]))
      return UNKNOWN;
    const parts = argument[1].map((part) => text(resolve(part, scope)));
    return parts.includes(undefined) ? UNKNOWN : parts.join(argument[0]);
  },
  'Fn::Split': (argument, scope) => {
    if (!Array.isArray(argument) || typeof argument[0] !== 'string') return UNKNOWN;
    const whole = text(resolve(argument[1], scope));
    return whole === undefined ? UNKNOWN : whole.split(argument[0]);
  },
  'Fn::Select': (argument, scope) => {
    if (!Array.isArray(argument)) return UNKNOWN;
    const index = Number(text(resolve(argument[0], scope)));
    const known = resolve(argument[1], scope);
    // A parameter of a list type has its value as one text.
    const list = typeof known === 'string' ? known.split(',').map((item) => item.trim()) : known;
    const item: unknown = Array.isArray(list) ? list[index] : undefined;
    return item === undefined ? UNKNOWN : resolve(item, scope);
  },
  'Fn::If': (argument, scope) => {
    if (!Array.isArray(argument)) return UNKNOWN;
    const chosen = truth({ Condition: argument[0] }, scope);
    return chosen === UNKNOWN ? UNKNOWN : resolve(argument[chosen ? 1 : 2], scope);
  },
  'Fn::Equals': (argument, scope) => {
    if (!Array.isArray(argument)) return UNKNOWN;
    const [left, right] = argument.map((part) => text(resolve(part, scope)));
    return left === undefined || right === undefined ? UNKNOWN : left === right;
  },
  'Fn::Not': (argument, scope) => {
    const values = truths(argument, scope);
    return values === UNKNOWN ? UNKNOWN : !values[0];
  },
  'Fn::And': (argument, scope) => {
    const values = truths(argument, scope);
    return values === UNKNOWN ? UNKNOWN : values.every(Boolean);
  },
  'Fn::Or': (argument, scope) => {
    const values = truths(argument, scope);
    return values === UNKNOWN ? UNKNOWN : values.some(Boolean);
  },
};

/** The value of one template node, or UNKNOWN when it holds an intrinsic that only the deployment can answer. */
export function resolve(value: unknown, scope: Scope): unknown {
  if (!isObject(value)) return value;
  const [key, ...others] = Object.keys(value);
  if (key === undefined || others.length > 0) return value;
  if (Object.hasOwn(RESOLVERS, key)) return RESOLVERS[key]?.(value[key], scope);
  return key.startsWith('Fn::') ? UNKNOWN : value;
}

/** What is known of a template's intrinsics. @param overrides values of its parameters, over their defaults */
export function scopeOf(
  document: Readonly<Record<string, unknown>>,
  overrides: Readonly<Record<string, string>>,
): Scope {
  const defaults = Object.entries(objectOf(document['Parameters'])).flatMap(([name, parameter]) => {
    const value = objectOf(parameter)['Default'];
    return value === undefined ? [] : [[name, String(value)]];
  });
  return {
    parameters: { ...Object.fromEntries(defaults), ...overrides },
    mappings: objectOf(document['Mappings']),
    conditions: objectOf(document['Conditions']),
  };
}

/** The text of one template node, or undefined when it is none or is not known yet. */
export function resolveText(value: unknown, scope: Scope): string | undefined {
  return text(resolve(value, scope));
}
