import { TemplateError } from '../errors.ts';
import { isObject, objectOf, ownValue, resolve, type Scope, scopeOf, UNKNOWN } from './intrinsics.ts';
import { noEchoIn, withoutNames } from './no-echo.ts';

/**
 * What the transform AWS::LanguageExtensions adds to templates, expanded before anything is looked at. What only CloudFormation
 * can answer stays as it is written, and the transform with it. CloudFormation template reference, "AWS::LanguageExtensions
 * transform", "Fn::ForEach", "Fn::Length", "Fn::ToJsonString", "Fn::FindInMap enhancements".
 */
export const LANGUAGE_EXTENSIONS = 'AWS::LanguageExtensions';

const LOOP = /^Fn::ForEach::[A-Za-z0-9]+$/;
/** CloudFormation takes 500 resources a template; what makes more than this many entries makes no template. */
const MAX_ENTRIES = 10_000;
/** CloudFormation allows five loops inside one another. */
const MAX_LOOPS = 5;

const isReference = (key: string) => key === 'Ref' || key === 'Fn::GetAtt';

const hasFunction = (argument: unknown) => [argument].flat().some(isObject);

/** A Fn::FindInMap as only the transform takes it: with a default, or with other functions in its keys than CloudFormation's own has. */
const isAddedFindInMap = (argument: unknown): argument is unknown[] =>
  Array.isArray(argument) &&
  (argument.length === 4 ||
    argument.some((part) =>
      Object.keys(objectOf(part)).some((key) => key !== 'Ref' && key !== 'Fn::FindInMap'),
    ));

/** Values of the loops around a node, by their identifiers. */
type Locals = Readonly<Record<string, string>>;

class Expander {
  private entries = 0;

  constructor(
    private readonly file: string,
    private readonly scope: Scope,
  ) {}

  fail(where: string, problem: string): never {
    throw new TemplateError(`${this.file}: ${where}: ${problem}`);
  }

  /** A text with the values of loops in it: `${Name}`, and `&{Name}` without what no logical id may have. */
  private text(text: string, locals: Locals): string {
    return text.replace(/([$&])\{([A-Za-z0-9]+)\}/g, (whole, kind: string, name: string) => {
      const value = ownValue(locals, name);
      if (value === undefined) return whole;
      return kind === '&' ? value.replace(/[^A-Za-z0-9]/g, '') : value;
    });
  }

  private items(node: unknown, where: string, locals: Locals): string[] {
    const known = resolve(this.expand(node, where, locals), this.scope);
    const list = typeof known === 'string' ? known.split(',').map((item) => item.trim()) : known;
    if (!Array.isArray(list))
      return this.fail(
        where,
        `the collection ${JSON.stringify(node)} cannot be known before deployment; write the list out, or use a parameter with a default`,
      );
    return list.flatMap((item) => {
      const value = resolve(item, this.scope);
      if (Array.isArray(value)) return value.map(String);
      if (value === UNKNOWN || isObject(value))
        return this.fail(
          where,
          `the item ${JSON.stringify(item)} cannot be known before deployment; write it out, or use a parameter with a default`,
        );
      return [String(value)];
    });
  }

  private loop(node: unknown, where: string, locals: Locals): [string, unknown][] {
    const [identifier, collection, body] = Array.isArray(node) ? node : [];
    if (typeof identifier !== 'string' || collection === undefined || !isObject(body))
      return this.fail(
        where,
        'a loop is a list of an identifier, a collection, and a map whose keys hold the identifier',
      );
    if (where.split('Fn::ForEach').length - 1 > MAX_LOOPS)
      return this.fail(where, `at most ${MAX_LOOPS} loops may stand inside one another`);
    return this.items(collection, where, locals).flatMap((value) =>
      Object.entries(objectOf(this.expand(body, where, { ...locals, [identifier]: value }))),
    );
  }

  private map(node: Record<string, unknown>, where: string, locals: Locals): Record<string, unknown> {
    const result = new Map<string, unknown>();
    const put = (key: string, value: unknown, from: string) => {
      this.entries += 1;
      if (this.entries > MAX_ENTRIES)
        this.fail(from, `makes more than ${MAX_ENTRIES} entries; CloudFormation takes no such template`);
      if (result.has(key)) this.fail(from, `makes "${key}" twice; put the identifier into the key`);
      result.set(key, value);
    };
    for (const [key, value] of Object.entries(node)) {
      const inner = `${where}.${key}`;
      if (LOOP.test(key)) for (const [made, one] of this.loop(value, inner, locals)) put(made, one, inner);
      else put(this.text(key, locals), this.expand(value, inner, locals), inner);
    }
    return Object.fromEntries(result);
  }

  /** A node with its loops expanded, and with what can be answered now answered. */
  expand(node: unknown, where: string, locals: Locals): unknown {
    if (typeof node === 'string') return this.text(node, locals);
    if (Array.isArray(node))
      return node.map((item, index) => this.expand(item, `${where}[${index}]`, locals));
    if (!isObject(node)) return node;
    const [key, ...others] = Object.keys(node);
    if (key === 'Ref' && others.length === 0 && typeof node['Ref'] === 'string') {
      const value = ownValue(locals, node['Ref']);
      if (value !== undefined) return value;
    }
    const map = this.map(node, where, locals);
    return others.length === 0 && key !== undefined ? this.answer(key, map) : map;
  }

  /** The functions that the transform adds, where all that they ask for is known. */
  private answer(key: string, map: Record<string, unknown>): unknown {
    const argument = map[key];
    if (key === 'Fn::Length') {
      const known = resolve(argument, this.scope);
      if (typeof known === 'string') return known.split(',').length;
      return Array.isArray(known) ? known.length : map;
    }
    if (key === 'Fn::ToJsonString') {
      const known = this.known(argument);
      return known === UNKNOWN ? map : JSON.stringify(known);
    }
    if (isReference(key)) return this.named(key, argument) ?? map;
    if (key === 'Fn::FindInMap' && isAddedFindInMap(argument)) {
      const found = resolve({ 'Fn::FindInMap': argument.slice(0, 3) }, this.scope);
      if (found !== UNKNOWN) return found;
      const isKnown = argument.slice(0, 3).every((part) => resolve(part, this.scope) !== UNKNOWN);
      return isKnown && isObject(argument[3]) && 'DefaultValue' in argument[3]
        ? argument[3]['DefaultValue']
        : map;
    }
    return map;
  }

  /** Ref and Fn::GetAtt whose names are functions, with the names; undefined where nothing is to be done, or not all is known. */
  private named(key: string, argument: unknown): unknown {
    if (!hasFunction(argument)) return undefined;
    const names = [argument].flat().map((part) => resolve(part, this.scope));
    if (!names.every((name) => typeof name === 'string')) return undefined;
    return { [key]: Array.isArray(argument) ? names : names[0] };
  }

  /** The value of a node at whatever depth, or UNKNOWN. */
  private known(node: unknown): unknown {
    const value = resolve(node, this.scope);
    if (value === UNKNOWN) return UNKNOWN;
    if (Array.isArray(value)) {
      const items = value.map((item) => this.known(item));
      return items.includes(UNKNOWN) ? UNKNOWN : items;
    }
    if (!isObject(value)) return value;
    const entries = Object.entries(value).map(([key, item]) => [key, this.known(item)] as const);
    return entries.some(([, item]) => item === UNKNOWN) ? UNKNOWN : Object.fromEntries(entries);
  }
}

/** Attributes of a resource that may be intrinsics with the transform, and are text without it. */
const POLICIES = ['DeletionPolicy', 'UpdateReplacePolicy'];

function withPolicies(resources: unknown, scope: Scope): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(objectOf(resources)).map(([id, resource]) => {
      const known = POLICIES.flatMap((key) => {
        const value = resolve(objectOf(resource)[key], scope);
        return typeof value === 'string' ? [[key, value]] : [];
      });
      return [id, isObject(resource) ? { ...resource, ...Object.fromEntries(known) } : resource];
    }),
  );
}

/** Whether something is left that the transform alone understands. */
function needsTransform(node: unknown): boolean {
  if (Array.isArray(node)) return node.some(needsTransform);
  return Object.entries(objectOf(node)).some(([key, value]) => {
    const isAdded =
      ['Fn::Length', 'Fn::ToJsonString'].includes(key) ||
      (key === 'Fn::FindInMap' && isAddedFindInMap(value)) ||
      (isReference(key) && hasFunction(value)) ||
      (POLICIES.includes(key) && isObject(value));
    return isAdded || needsTransform(value);
  });
}

/** Where a template says upon which values of parameters it stands that nobody has set: their defaults, by name. */
export const ASSUMED = 'PlimsollAssumes';

/** Values of parameters, with a note of which of them were asked for. */
const watched = (parameters: Scope['parameters'], asked: Set<string>): Scope['parameters'] =>
  new Proxy(parameters, {
    get(target, name) {
      if (typeof name !== 'string' || !Object.hasOwn(target, name)) return undefined;
      asked.add(name);
      return target[name];
    },
  });

/** Where loops may stand. */
const SECTIONS = ['Conditions', 'Resources', 'Outputs'];

/**
 * A template in which loops are written out and the other extensions answered, as far as they can be before deployment. One
 * that does not name the transform stays as it is. Pure.
 * @param file its path in the project, for people
 * @param overrides values of its parameters, over their defaults
 * @param later parameters whose values only the deployment knows, whatever their defaults
 * @throws TemplateError naming the loop and what to do
 */
export function withoutLanguageExtensions(
  document: Readonly<Record<string, unknown>>,
  file: string,
  overrides: Readonly<Record<string, string>>,
  later: readonly string[] = [],
): Record<string, unknown> {
  const transforms = [document['Transform'] ?? []].flat();
  if (!transforms.includes(LANGUAGE_EXTENSIONS)) return document;
  const all = scopeOf(document, overrides);
  const asked = new Set<string>();
  // A secret is not for a template that others read: CloudFormation puts it in.
  const known = withoutNames(all.parameters, [...noEchoIn(document), ...later]);
  const scope = { ...all, parameters: watched(known, asked) };
  const expander = new Expander(file, scope);
  const sections = SECTIONS.filter((section) => section in document).map((section) => [
    section,
    expander.expand(document[section], section, {}),
  ]);
  const expanded: Record<string, unknown> = { ...document, ...Object.fromEntries(sections) };
  expanded['Resources'] = withPolicies(expanded['Resources'], scope);
  const assumed = [...asked].filter((name) => !Object.hasOwn(overrides, name)).sort();
  if (assumed.length > 0)
    expanded['Metadata'] = {
      ...objectOf(document['Metadata']),
      [ASSUMED]: Object.fromEntries(assumed.map((name) => [name, all.parameters[name]])),
    };
  const { Transform: _, ...rest } = expanded;
  const left = transforms.filter((one) => one !== LANGUAGE_EXTENSIONS || needsTransform(rest));
  return left.length === 0 ? rest : { ...rest, Transform: left.length === 1 ? left[0] : left };
}
