import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TemplateError } from '../../../core/errors.ts';
import { MAX_TEMPLATE_BYTES } from '../../../core/project/files.ts';
import { parseTemplate, parseYaml } from '../../../core/project/yaml.ts';

const parse = (text: string) => parseTemplate(text, 'template.yaml');

describe('a template in YAML', () => {
  it.each([
    ['!Ref A', { Ref: 'A' }],
    ['!Sub "${A}-b"', { 'Fn::Sub': '${A}-b' }],
    ['!Sub ["${x}", {x: !Ref A}]', { 'Fn::Sub': ['${x}', { x: { Ref: 'A' } }] }],
    ['!GetAtt A.B', { 'Fn::GetAtt': ['A', 'B'] }],
    ['!GetAtt A.Outputs.C', { 'Fn::GetAtt': ['A', 'Outputs.C'] }],
    ['!GetAtt [A, B]', { 'Fn::GetAtt': ['A', 'B'] }],
    ['!Join ["-", [a, !Ref B]]', { 'Fn::Join': ['-', ['a', { Ref: 'B' }]] }],
    ['!If [C, !Ref A, !Ref "AWS::NoValue"]', { 'Fn::If': ['C', { Ref: 'A' }, { Ref: 'AWS::NoValue' }] }],
    ['!Equals [!Ref A, x]', { 'Fn::Equals': [{ Ref: 'A' }, 'x'] }],
    ['!Not [!Condition C]', { 'Fn::Not': [{ Condition: 'C' }] }],
    ['!FindInMap [M, !Ref K, v]', { 'Fn::FindInMap': ['M', { Ref: 'K' }, 'v'] }],
    ['!Select [0, !GetAZs ""]', { 'Fn::Select': [0, { 'Fn::GetAZs': '' }] }],
    ['!Base64 text', { 'Fn::Base64': 'text' }],
    ['!ImportValue name', { 'Fn::ImportValue': 'name' }],
    ['!Transform {Name: AWS::Include}', { 'Fn::Transform': { Name: 'AWS::Include' } }],
    ['!Base64\n  Fn::Sub: "x ${A}"', { 'Fn::Base64': { 'Fn::Sub': 'x ${A}' } }],
  ])('%s', (short, long) => {
    expect(parse(`A: ${short}`)).toEqual({ A: long });
  });

  it('keeps as text what CloudFormation keeps as text', () => {
    expect(parse('Version: 2012-10-17\nTime: 12:30:45\nA: y\nB: n')).toEqual({
      Version: '2012-10-17',
      Time: '12:30:45',
      A: 'y',
      B: 'n',
    });
  });

  it('takes plain values as PyYAML, and so SAM, takes them', () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789._+-eExb'), minLength: 1, maxLength: 12 });
    const known = ['.', '+.', '-', '5e7', '12e5', '1.5e+3', '012345678989', '0777', '0b11', '0x1F', '1_000'];
    const words = [
      'y',
      'N',
      'yes',
      'No',
      'oN',
      'OFF',
      'True',
      'tRUE',
      'null',
      '~',
      '1.',
      '.5',
      '+.5',
      '00',
      '-0',
    ];
    // A number without a point is one here where it has a sign in its exponent, as JSON writes it.
    const likeJson = /^[-+]?[0-9][0-9_]*[eE][-+][0-9]+$/;
    const texts = [...known, ...words, ...fc.sample(digits, 2000)].filter((text) => !likeJson.test(text));
    const { stdout } = spawnSync(
      'python',
      [
        '-c',
        'import json, sys, yaml\ndef load(text):\n  try: return [str(yaml.safe_load("A: " + text)["A"]), yaml.safe_load("A: " + text)["A"].__class__.__name__]\n  except Exception: return None\nprint(json.dumps([load(text) for text in json.load(sys.stdin)]))',
      ],
      { input: JSON.stringify(texts), encoding: 'utf8' },
    );
    const theirs = JSON.parse(stdout) as ([string, string] | null)[];
    const types: Record<string, string> = { str: 'string', int: 'number', float: 'number', bool: 'boolean' };
    const differ = texts.flatMap((text, index) => {
      const expected = theirs[index];
      if (!expected) return [];
      const { A: ours } = parse(`A: ${text}`) as { A: unknown };
      const isSame = ours === null ? expected[1] === 'NoneType' : typeof ours === types[expected[1]];
      return isSame ? [] : [[text, ours, ...expected]];
    });
    expect(differ).toEqual([]);
    expect(texts.length).toBeGreaterThan(1500);
  });

  it('keeps numbers as they are written where CloudFormation takes text', () => {
    expect(parse('Variables: { V: 1.0, W: 2, F: true }\nDefault: 1.10\nBackoffRate: 2.0')).toEqual({
      Variables: { V: '1.0', W: 2, F: true },
      Default: '1.10',
      BackoffRate: 2,
    });
  });

  it('takes any JSON as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        // Rejected by name: test/unit/project/files.test.ts.
        fc.pre(!JSON.stringify(value).includes('"__proto__":'));
        const document = { Value: value };
        expect(parse(JSON.stringify(document))).toEqual(JSON.parse(JSON.stringify(document)));
      }),
    );
  });

  it('never fails otherwise than with a TemplateError that names the file', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        try {
          parse(text);
        } catch (error) {
          expect(error).toBeInstanceOf(TemplateError);
          expect(String(error)).toContain('template.yaml');
        }
      }),
    );
  });

  it.each([
    ['A: &x 1\nB: *x', /alias \*x/],
    [
      'A:\n  B: 1\n  C: 2\n  B: 3',
      /the key "B" stands in line 2 and again in line 4 of one map; SAM would keep the last/,
    ],
    ['{"A": 1,\n\n"A": 2}', /the key "A" stands in line 1 and again in line 3/],
    ['A: !Sub\n  - x\n  - B: 1\n    B: 2', /the key "B" stands in line 3 and again in line 4/],
    ['A: {\nB: 1, C: [, ], B: 2 }', /line 2/],
    ['A: [1', /line 1/],
    ['A: !Nope x', /!Nope/],
    [`A: ${'x'.repeat(MAX_TEMPLATE_BYTES)}`, /CloudFormation takes 1000000/],
  ])('refuses %#', (text, problem) => {
    expect(() => parse(text)).toThrow(problem);
  });

  it('of which SAM reads nothing is not said to be kept by SAM', () => {
    expect(() => parseYaml('A: 1\nA: 2', 'plimsoll.yaml')).toThrow(
      'plimsoll.yaml: the key "A" stands in line 1 and again in line 2 of one map. Remove one of them, or rename it.',
    );
  });

  it('is not expanded without bound', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x]\n${'bcdefgh'
      .split('')
      .map((name, index) => `${name}: &${name} [${Array(8).fill(`*${'abcdefgh'[index]}`).join(',')}]`)
      .join('\n')}`;
    expect(() => parseYaml(bomb, 'plimsoll.yaml')).toThrow(/alias/);
  });
});
