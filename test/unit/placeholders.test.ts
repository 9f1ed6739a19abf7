import { describe, expect, it } from 'vitest';
import { placeholdersIn } from '../../local/placeholders.ts';

describe('what the embedded AWS only pretends to create', () => {
  it('is named, and nothing else', () => {
    const Resources = {
      Group: { Type: 'AWS::ResourceGroups::Group' },
      Table: { Type: 'AWS::DynamoDB::Table' },
      Odd: null,
    };
    expect(placeholdersIn({ Resources })).toEqual([
      'Not created here: Group: the embedded AWS has no AWS::ResourceGroups::Group.',
    ]);
    expect(placeholdersIn({})).toEqual([]);
  });
});
