import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolve, UNKNOWN } from '../../../core/project/intrinsics.ts';
import {
  aliasesOf,
  givenValues,
  heldAliases,
  holdable,
  holdsOf,
  withHoldsOf,
  withVersionsOf,
} from '../../../core/release/hold.ts';
import { comparable, withSetters } from '../../../core/release/no-echo.ts';

type Json = Record<string, unknown>;
type Shape = Json & {
  Parameters: Record<string, Json>;
  Conditions: Json;
  Resources: Record<string, { Type: string; Properties: Json }>;
};

/** What the SAM transform makes of a function with AutoPublishAlias behind an API. */
function expanded(properties: Json = {}, parameters: Json = {}): Json {
  return {
    Parameters: { Size: { Type: 'Number', Default: 512 }, ...parameters },
    Resources: {
      Fn: {
        Type: 'AWS::Lambda::Function',
        Properties: {
          Code: { S3Bucket: 'b', S3Key: 'functions/Fn/1/function.zip', S3ObjectVersion: 'v1' },
          Layers: ['arn:layer:1'],
          MemorySize: { Ref: 'Size' },
          Role: { 'Fn::GetAtt': ['FnRole', 'Arn'] },
          Tags: [{ Key: 'a', Value: '1' }],
          ...properties,
        },
      },
      FnVersion0123456789: {
        Type: 'AWS::Lambda::Version',
        DeletionPolicy: 'Retain',
        Properties: { FunctionName: { Ref: 'Fn' } },
      },
      FnAliaslive: {
        Type: 'AWS::Lambda::Alias',
        Properties: {
          FunctionName: { Ref: 'Fn' },
          Name: 'live',
          FunctionVersion: { 'Fn::GetAtt': ['FnVersion0123456789', 'Version'] },
        },
      },
    },
    Outputs: {
      Version: { Value: { Ref: 'FnVersion0123456789' } },
      Text: { Value: { 'Fn::Sub': 'is ${FnVersion0123456789.Version} of ${Fn}' } },
    },
  };
}

const heldOne = {
  alias: 'FnAliaslive',
  function: 'Fn',
  version: 'FnVersion',
  functionName: 'fn-1',
  name: 'live',
  from: '7',
};

/** Functions with an alias each. */
const functions = (ids: readonly string[]): Json => ({
  Resources: Object.fromEntries(
    ids.flatMap((id) => [
      [id, { Type: 'AWS::Lambda::Function', Properties: {} }],
      [`${id}V`, { Type: 'AWS::Lambda::Version', Properties: { FunctionName: { Ref: id } } }],
      [
        `${id}Alias`,
        {
          Type: 'AWS::Lambda::Alias',
          Properties: { FunctionName: { Ref: id }, FunctionVersion: { 'Fn::GetAtt': [`${id}V`, 'Version'] } },
        },
      ],
    ]),
  ),
});

const versionIn = (template: Json, parameters: Record<string, string> = {}) =>
  aliasesOf(holdable(template, parameters))[0]?.version;
const base = versionIn(expanded());

describe('the name of a version', () => {
  it.each<[string, Json, Record<string, string>]>([
    ['its code', { Code: { S3Bucket: 'b', S3Key: 'functions/Fn/2/function.zip' } }, {}],
    ['a layer alone', { Layers: ['arn:layer:2'] }, {}],
    ['its configuration', { Timeout: 3 }, {}],
    ['a parameter that it uses', {}, { Size: '1024' }],
  ])('changes with %s', (_what, properties, parameters) => {
    expect(versionIn(expanded(properties), parameters)).not.toBe(base);
  });

  it.each<[string, Json, Json, Record<string, string>]>([
    ['where the same code lies', { Code: { S3Bucket: 'c', S3Key: 'functions/Fn/1/function.zip' } }, {}, {}],
    ['tags, which no version has', { Tags: [] }, {}, {}],
    ['reserved concurrency, which no version has', { ReservedConcurrentExecutions: 3 }, {}, {}],
    ['how the same value is written', { MemorySize: '512' }, {}, {}],
    ['a parameter that it does not use', {}, { Other: { Type: 'String' } }, { Other: 'x' }],
  ])('stays with %s', (_what, properties, parameters, values) => {
    expect(versionIn(expanded(properties, parameters), values)).toBe(base);
  });

  it('follows from who has set a NoEcho value, not from the value: the next release, which leaves it, has no new one', () => {
    const template = expanded(
      { Environment: { Variables: { KEY: { Ref: 'Key' } } } },
      { Key: { Type: 'String', NoEcho: true } },
    );
    const first = withSetters(template, {}, { id: '1', parameters: { Key: 'secret' } });
    const next = withSetters(template, first, { id: '2', parameters: {} });
    const nameOf = (one: Json, value: string) => versionIn(one, comparable(one, { Key: value }));
    expect(nameOf(next, '****')).toBe(nameOf(first, 'secret'));
    expect(JSON.stringify(first)).not.toContain('secret');
    const other = withSetters(template, next, { id: '3', parameters: { Key: 'other' } });
    expect(nameOf(other, 'other')).not.toBe(nameOf(next, '****'));
  });
});

describe('a template that can be held', () => {
  const template = holdable(expanded(), {}) as unknown as Shape & { Outputs: Json };

  it('refers to the renamed version everywhere', () => {
    expect(JSON.stringify(template)).not.toContain('FnVersion0123456789');
    expect(template.Outputs).toEqual({
      Version: { Value: { Ref: base } },
      Text: { Value: { 'Fn::Sub': `is \${${base}.Version} of \${Fn}` } },
    });
  });

  it('leads the alias to the new version while it is free, else to the number', () => {
    const target = template.Resources['FnAliaslive']?.Properties['FunctionVersion'];
    expect(template.Parameters['PlimsollHolds']).toMatchObject({ Type: 'String', Default: '0' });
    fc.assert(
      fc.property(
        fc.option(
          fc.nat().map((n) => String(n + 1)),
          { nil: undefined },
        ),
        (from) => {
          const held = from === undefined ? [] : [{ ...heldOne, from }];
          const parameters = holdsOf(template, held);
          const scope = { parameters, mappings: {}, conditions: template.Conditions };
          const chosen = resolve(target, scope);
          if (from === undefined) expect(typeof chosen).toBe('symbol');
          else expect(chosen).toBe(from);
        },
      ),
    );
  });

  it('holds each of its aliases on its own, by one parameter, however many there are', () => {
    const ids = Array.from({ length: 120 }, (_, index) => `Fn${index}`);
    const many = holdable(functions(ids), {}) as unknown as Shape;
    expect(Object.keys(many.Parameters)).toEqual(['PlimsollHolds']);
    const held = ids.flatMap((id, index) =>
      index % 3 === 0 ? [{ ...heldOne, alias: `${id}Alias`, from: String(index + 1) }] : [],
    );
    const parameters = holdsOf(many as unknown as Json, held);
    const scope = { parameters, mappings: {}, conditions: many.Conditions };
    for (const [index, id] of ids.entries()) {
      const chosen = resolve(many.Resources[`${id}Alias`]?.Properties['FunctionVersion'], scope);
      expect(chosen).toEqual(index % 3 === 0 ? String(index + 1) : UNKNOWN);
    }
    expect(parameters['PlimsollHolds']?.length).toBeLessThan(4096);
  });

  it('is the same when it is made so twice, as the second change set of a release does', () => {
    expect(holdable(expanded(), { Size: '512' })).toEqual(template);
    expect(aliasesOf(template)).toEqual([{ alias: 'FnAliaslive', function: 'Fn', version: base }]);
  });

  it('is left alone without aliases, and an alias on a version of somebody else is none of ours', () => {
    const plain = { Resources: { Topic: { Type: 'AWS::SNS::Topic' } } };
    expect(holdable(plain, {})).toBe(plain);
    const other = expanded();
    const resources = other['Resources'] as Shape['Resources'];
    delete (resources as Json)['FnVersion0123456789'];
    expect(holdable(other, {})).toBe(other);
  });
});

describe('what is held', () => {
  const live = [{ logicalId: 'FnAliaslive', functionName: 'fn-1', name: 'live', version: '7', weights: {} }];
  const before = holdable(expanded(), {});
  const next = holdable(expanded({ Layers: ['arn:layer:2'] }), {});

  it('is each live alias whose function changes', () => {
    expect(heldAliases(next, before, live)).toEqual([
      {
        alias: 'FnAliaslive',
        function: 'Fn',
        version: aliasesOf(next)[0]?.version,
        functionName: 'fn-1',
        name: 'live',
        from: '7',
      },
    ]);
    expect(heldAliases(next, {}, live)).toHaveLength(1);
  });

  it('is nothing on a first deployment, and nothing where nothing changes', () => {
    expect(heldAliases(next, before, [])).toEqual([]);
    expect(heldAliases(before, before, live)).toEqual([]);
  });

  it('is nothing of a function that gets another name: CloudFormation makes a new one, without the old versions', () => {
    expect(heldAliases(holdable(expanded({ FunctionName: 'new' }), {}), before, live)).toEqual([]);
  });

  it('has the version before beside the new one, so that going back finds it', () => {
    const both = (withVersionsOf(next, before) as unknown as Shape).Resources;
    const versions = Object.keys(both).filter((id) => both[id]?.Type === 'AWS::Lambda::Version');
    expect(versions).toEqual([aliasesOf(next)[0]?.version, base]);
    const gone = { Resources: {} };
    expect(withVersionsOf(gone, before)).toEqual(gone);
  });
});

describe('an alias in a nested stack', () => {
  const nesting = (Parameters: Json = {}): Json => ({
    Parameters: { Stage: { Type: 'String', Default: 'dev' } },
    Resources: { Data: { Type: 'AWS::CloudFormation::Stack', Properties: { TemplateURL: 'u', Parameters } } },
  });

  it('is held by a parameter that each template hands on inwards', () => {
    const template = holdable(expanded(), {});
    const inner = holdsOf(template, [{ ...heldOne, alias: 'Data.Data.FnAliaslive' }], 'Data.Data.');
    expect(inner).toEqual({ PlimsollHolds: '7' });
    const middle = withHoldsOf(nesting({ Stage: 'x' }), 'Data', inner);
    const [[handed = '', value] = []] = Object.entries(middle.holds);
    expect(handed).toMatch(/^PlimsollHolds[0-9a-f]{16}$/);
    expect(value).toBe('7');
    const shape = middle.template as Shape;
    expect(shape.Parameters[handed]).toMatchObject({ Type: 'String', Default: '0' });
    expect(shape.Resources['Data']?.Properties).toEqual({
      TemplateURL: 'u',
      Parameters: { Stage: 'x', PlimsollHolds: { Ref: handed } },
    });
    const outer = withHoldsOf(nesting(), 'Data', middle.holds);
    expect(Object.values(outer.holds)).toEqual(['7']);
    expect(Object.keys(outer.holds)).not.toEqual([handed]);
    expect(withHoldsOf(nesting(), 'Data', {}).template).toEqual(nesting());
  });

  it('is named by its path', () => {
    const live = [
      { logicalId: 'Data.FnAliaslive', functionName: 'f', name: 'live', version: '3', weights: {} },
    ];
    const template = holdable(expanded(), {});
    expect(heldAliases(template, {}, live)).toEqual([]);
    expect(heldAliases(template, {}, live, 'Data.')).toMatchObject([
      { alias: 'Data.FnAliaslive', function: 'Data.Fn', from: '3', functionName: 'f' },
    ]);
  });

  it('gets a new version where another release has set the NoEcho value that it is given, not with another default', () => {
    const variables = { Environment: { Variables: { KEY: { Ref: 'Key' } } } };
    const inner = (Default?: string) =>
      expanded(variables, { Key: { Type: 'String', NoEcho: true, Default } });
    const outer = { ...nesting({ Key: { Ref: 'Key' } }), Parameters: { Key: { NoEcho: true } } };
    const version = (id: string) => {
      const noted = withSetters(outer, {}, { id, parameters: { Key: 'secret' } });
      return versionIn(inner(), givenValues(noted, comparable(noted, { Key: 'secret' }), 'Data'));
    };
    expect(version('1')).not.toBe(version('2'));
    expect(versionIn(inner('a'))).toBe(versionIn(inner('b')));
  });

  it('gets a new version where another value is given, known or not', () => {
    const given = (value: unknown, parameters = {}) =>
      givenValues(nesting({ Size: value }), parameters, 'Data');
    const version = (values: Record<string, string>) => versionIn(expanded(), values);
    expect(given({ Ref: 'Stage' }, { Stage: 'prod' })).toEqual({ Size: 'prod' });
    expect(version(given('512'))).toBe(base);
    expect(version(given('1024'))).not.toBe(base);
    const unknown = version(given({ 'Fn::GetAtt': ['A', 'B'] }));
    expect(version(given({ 'Fn::GetAtt': ['A', 'B'] }))).toBe(unknown);
    expect(version(given({ 'Fn::GetAtt': ['A', 'C'] }))).not.toBe(unknown);
  });
});
