import {
  type CollectionTag,
  type Document,
  isAlias,
  isCollection,
  isPair,
  isScalar,
  parseDocument,
  type Scalar,
  type ScalarTag,
  type Tags,
  visit,
} from 'yaml';
import { type PlimsollError, ProjectError, TemplateError } from '../errors.ts';
import { MAX_DEPTH, MAX_TEMPLATE_BYTES, tooDeep } from './files.ts';

/** Short forms whose long form is `Fn::NAME`. */
const FUNCTIONS = [
  'And',
  'Base64',
  'Cidr',
  'Equals',
  'FindInMap',
  'ForEach',
  'GetAZs',
  'If',
  'ImportValue',
  'Join',
  'Length',
  'Not',
  'Or',
  'Select',
  'Split',
  'Sub',
  'ToJsonString',
  'Transform',
] as const;

function collectionForm(tag: string, longName: string, kind: 'seq' | 'map'): CollectionTag {
  return { tag, collection: kind, resolve: (node) => ({ [longName]: node.toJSON() }) };
}

function shortForm(name: string, longName: string): (ScalarTag | CollectionTag)[] {
  const tag = `!${name}`;
  return [
    { tag, resolve: (text) => ({ [longName]: text }) },
    collectionForm(tag, longName, 'seq'),
    collectionForm(tag, longName, 'map'),
  ];
}

/** `!GetAtt A.B.C` means `{"Fn::GetAtt": ["A", "B.C"]}`. */
const GET_ATT: ScalarTag = {
  tag: '!GetAtt',
  resolve: (text) => {
    const dot = text.indexOf('.');
    return { 'Fn::GetAtt': dot < 0 ? [text] : [text.slice(0, dot), text.slice(dot + 1)] };
  },
};

const CFN_TAGS: Tags = [
  ...FUNCTIONS.flatMap((name) => shortForm(name, `Fn::${name}`)),
  ...shortForm('Ref', 'Ref'),
  ...shortForm('Condition', 'Condition'),
  GET_ATT,
  collectionForm('!GetAtt', 'Fn::GetAtt', 'seq'),
];

/** YAML 1.1 types that CloudFormation leaves as text. */
const TEXT_IN_CFN = ['timestamp', 'binary', 'omap', 'pairs', 'set'].map(
  (name) => `tag:yaml.org,2002:${name}`,
);

/**
 * What PyYAML, and so SAM, takes for a value that is no text, where the parser here takes more: `.` is a folder, 5e7 the hash
 * of a commit, and 012345678989 an account (PyYAML, resolver.py). A number such as 1e+21 is one here, as JSON has it; .inf and .nan,
 * which JSON has not, stay text.
 */
const PYYAML: Readonly<Record<string, RegExp>> = {
  bool: /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/,
  int: /^[-+]?(?:0|[1-9][0-9_]*)$/,
  float: /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)$/,
  'float EXP': /^(?:[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)[eE][-+][0-9]+$/,
};

function asPyYaml(tag: Tags[number]): Tags[number] {
  if (typeof tag !== 'object' || !('test' in tag) || !tag.test) return tag;
  const kind = tag.tag.replace('tag:yaml.org,2002:', '');
  const pattern = PYYAML[tag.format === undefined ? kind : `${kind} ${tag.format}`];
  if (pattern === undefined) return tag;
  // Each of a kind takes its part: true and false, numbers and those without a value.
  return { ...tag, test: new RegExp(`(?=${pattern.source})${tag.test.source}`) };
}

const isText = (tag: Tags[number]) =>
  typeof tag === 'object' && (TEXT_IN_CFN.includes(tag.tag) || tag.format === 'TIME');

/** Keys below which CloudFormation takes text alone, so that a version 1.0 there is no number 1. */
const TEXT_BELOW = new Set(['AllowedValues', 'Default', 'Mappings', 'Tags', 'Variables']);

/** Leaves numbers as they are written where a number would lose something of that, and text is wanted. */
function keepWritten(document: Document): void {
  visit(document, {
    Scalar: (key, node, path) => {
      const isText = path.some(
        (one) => isPair(one) && isScalar(one.key) && TEXT_BELOW.has(String(one.key.value)),
      );
      if (key !== 'key' && isText && typeof node.value === 'number' && node.source?.includes('.'))
        node.value = node.source;
    },
  });
}

/** ` in line 3`, where the parser knows it. */
const lineOf = (text: string, { range }: Scalar): string =>
  range ? ` in line ${text.slice(0, range[0]).split('\n').length}` : '';

/** What becomes of a key that stands twice in a map, for people: PyYAML, and so SAM, says nothing and keeps the last. */
const KEPT_BY_SAM = '; SAM would keep the last';

function parse(
  text: string,
  file: string,
  tags: Tags,
  Failure: new (message: string) => PlimsollError,
  kept = '',
): Document {
  let twice: readonly [Scalar, Scalar] | undefined;
  const isSame = (first: unknown, second: unknown): boolean => {
    if (!isScalar(first) || !isScalar(second) || first.value !== second.value) return false;
    twice ??= [first, second];
    return true;
  };
  const document = parseDocument(text, {
    version: '1.1',
    merge: false,
    customTags: (known) => [...known.filter((tag) => !isText(tag)).map(asPyYaml), ...tags],
    prettyErrors: true,
    uniqueKeys: isSame,
  });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem?.code === 'RESOURCE_EXHAUSTION') throw new Failure(tooDeep(file));
  if (problem?.code === 'DUPLICATE_KEY' && twice)
    throw new Failure(
      `${file}: the key "${twice[0].value}" stands${lineOf(text, twice[0])} and again${lineOf(text, twice[1])} of one map${kept}. Remove one of them, or rename it.`,
    );
  if (problem) throw new Failure(`${file}: ${problem.message.trim()}`);
  visit(document, {
    Collection: (_key, _node, path) => {
      if (path.filter(isCollection).length >= MAX_DEPTH) throw new Failure(tooDeep(file));
    },
    Pair: (_key, { key }) => {
      // Not a name of CloudFormation's, Lambda's or ours; many a library drops it, or takes it for something else.
      if (isScalar(key) && key.value === '__proto__')
        throw new Failure(
          `${file}: the key __proto__${lineOf(text, key)} is not a name that AWS takes. Rename it.`,
        );
    },
    Alias: (_key, node) => {
      if (isAlias(node))
        throw new Failure(`${file}: the alias *${node.source} is not supported; write the value out`);
    },
  });
  return document;
}

/**
 * Parses a CloudFormation or SAM template, JSON or YAML, with every short form turned into its long form.
 * @throws TemplateError naming the file, the line and what is wrong there. Aliases are refused, as CloudFormation does.
 */
export function parseTemplate(text: string, file: string): unknown {
  if (Buffer.byteLength(text) > MAX_TEMPLATE_BYTES) {
    throw new TemplateError(
      `${file}: ${Buffer.byteLength(text)} bytes, CloudFormation takes ${MAX_TEMPLATE_BYTES}`,
    );
  }
  const document = parse(text, file, CFN_TAGS, TemplateError, KEPT_BY_SAM);
  keepWritten(document);
  return document.toJS();
}

/** Parses a plain YAML file of the project. @throws ProjectError */
export function parseYaml(text: string, file: string): unknown {
  return parse(text, file, [], ProjectError).toJS();
}
