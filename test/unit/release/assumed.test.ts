import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../../core/errors.ts';
import { assumedValues } from '../../../core/release/assumed.ts';

const template = (value: string) => ({
  Parameters: { Names: { Type: 'CommaDelimitedList', Default: value } },
  Metadata: { PlimsollAssumes: { Names: value } },
});
const stack = (value: string) => [{ ParameterKey: 'Names', ParameterValue: value }];
const NOTHING = { parameters: {} };

describe('a default that a template was written out with', () => {
  it.each([
    ['of a new stack is the default', [], {}],
    ['that the stack has needs no value', stack('a,b,c'), {}],
    ['follows the template where the stack has its earlier default', stack('a,b'), { Names: 'a,b,c' }],
  ])('%s', (_what, now, expected) => {
    expect(assumedValues(template('a,b,c'), template('a,b'), now, NOTHING)).toEqual(expected);
  });

  it('gives way to what the release sets', () => {
    expect(
      assumedValues(template('a,b,c'), template('a,b'), stack('x'), { parameters: { Names: 'y' } }),
    ).toEqual({});
  });

  it.each([
    ['somebody has set', template('a,b')],
    ['has no default before', {}],
  ])('is not mixed with a value that %s', (_what, before) => {
    const release = () => assumedValues(template('a,b,c'), before, stack('x,y'), NOTHING);
    expect(release).toThrow(InvalidInputError);
    expect(release).toThrow(/parameter Names: the stack has "x,y", .* with "a,b,c".*--parameter Names=VALUE/);
  });

  it('is none of a template without loops', () => {
    expect(assumedValues({ Resources: {} }, {}, stack('x'), NOTHING)).toEqual({});
  });
});
