import { describe, expect, it } from 'vitest';
import { stackNameOf } from '../../../cli/commands/deploy.ts';
import { nameOfFolder } from '../../../core/project/stack-name.ts';

describe('the name of the stack', () => {
  it.each([
    ['/home/ada/my_shop 2', 'my-shop-2'],
    ['/srv/2024-orders-', 'orders'],
    [`/${'a'.repeat(200)}`, 'a'.repeat(128)],
  ])('of the folder %s is %s', (folder, name) => expect(nameOfFolder(folder)).toBe(name));

  it('is the option, then that of plimsoll.yaml, then what else is known', () => {
    expect(stackNameOf(undefined, undefined, 'sam')).toBe('sam');
    expect(stackNameOf(undefined, 'ours', 'sam')).toBe('ours');
    expect(stackNameOf('given', 'ours', 'sam')).toBe('given');
  });

  it('that is none is rejected with the next step', () => {
    expect(() => stackNameOf('../x', undefined, 'sam')).toThrow(
      /--stack-name: "\.\.\/x" is not a stack name/,
    );
    expect(() => stackNameOf(undefined, undefined, '')).toThrow(/Give --stack-name NAME/);
  });
});
