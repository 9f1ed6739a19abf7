import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TemplateError } from '../../../core/errors.ts';
import { MAX_TEMPLATE_BYTES, parseTemplate, parseYaml } from '../../../core/project/yaml.ts';

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

  it('takes any JSON as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
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
    ['A: 1\nA: 2', /Map keys must be unique/],
    ['A: [1', /line 1/],
    ['A: !Nope x', /!Nope/],
    [`A: ${'x'.repeat(MAX_TEMPLATE_BYTES)}`, /CloudFormation takes 1000000/],
  ])('refuses %#', (text, problem) => {
    expect(() => parse(text)).toThrow(problem);
  });

  it('is not expanded without bound', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x]\n${'bcdefgh'
      .split('')
      .map((name, index) => `${name}: &${name} [${Array(8).fill(`*${'abcdefgh'[index]}`).join(',')}]`)
      .join('\n')}`;
    expect(() => parseYaml(bomb, 'plimsoll.yaml')).toThrow(/alias/);
  });
});
