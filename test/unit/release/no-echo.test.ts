import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StatefulChangeError } from '../../../core/errors.ts';
import { readTemplate } from '../../../core/project/template.ts';
import { comparable, refuseLostValues, shownParameters, withSetters } from '../../../core/release/no-echo.ts';

const stack = shownParameters([
  { ParameterKey: 'Size', ParameterValue: '512' },
  { ParameterKey: 'ApiKey', ParameterValue: '****' },
  { ParameterKey: 'Token', ParameterValue: '****' },
]);

describe('a value that CloudFormation shows to nobody', () => {
  it('is lost where the release ends it, unless the input allows it', () => {
    expect(() => refuseLostValues(['Size', 'ApiKey', 'Token'], stack, ['Token'])).toThrow(
      expect.objectContaining({
        name: StatefulChangeError.name,
        message: expect.stringMatching(/parameter ApiKey, which is NoEcho.*"allowDataLoss": \["ApiKey"\]/),
      }),
    );
    expect(() => refuseLostValues(['Size', 'New'], stack, [])).not.toThrow();
    expect(() => refuseLostValues(['ApiKey', 'Token'], stack, ['ApiKey', 'Token'])).not.toThrow();
  });

  it('goes into no plan: neither as it is given, nor as its default, nor in a text around it', () => {
    const text = `Transform: AWS::Serverless-2016-10-31
Parameters:
  Size: { Type: String, Default: small }
  ApiKey: { Type: String, NoEcho: true }
  Token: { Type: String, NoEcho: 'true', Default: t0ken }
Conditions:
  HasKey: !Not [!Equals [!Ref ApiKey, '']]
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Runtime: python3.11
      Environment:
        Variables:
          SIZE: !Ref Size
          KEY: !Ref ApiKey
          URL: !Sub 'https://\${Token}@example.com'
          BOTH: !If [HasKey, !Ref ApiKey, none]
`;
    const [fn] = readTemplate(text, 'template.yaml', { ApiKey: 's3cr3t' }).functions;
    expect(fn?.environment).toEqual({ SIZE: 'small' });
    expect(fn?.environmentNames).toEqual(['SIZE', 'KEY', 'URL', 'BOTH']);
  });

  it('is told apart by the release that has set it last, whatever releases between them leave it', () => {
    const template = { Parameters: { ApiKey: { NoEcho: true }, Size: {} } };
    fc.assert(
      fc.property(fc.array(fc.option(fc.string(), { nil: undefined })), (values) => {
        let before: Record<string, unknown> = {};
        let setter: string | undefined;
        for (const [index, value] of values.entries()) {
          const id = `release-${index}`;
          const parameters: Record<string, string> = value === undefined ? {} : { ApiKey: value };
          if (value !== undefined) setter = id;
          before = withSetters(template, before, { id, parameters });
          expect(comparable(before, { Size: '1', ApiKey: value ?? '****' })).toEqual({
            Size: '1',
            ...(setter === undefined ? {} : { ApiKey: setter }),
          });
        }
      }),
    );
  });
});
