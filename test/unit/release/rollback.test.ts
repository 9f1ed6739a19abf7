import { describe, expect, it } from 'vitest';
import { targetOf } from '../../../cli/commands/rollback.ts';
import { exitCodeOf, failureClass } from '../../../core/error-names.ts';
import * as errors from '../../../core/errors.ts';
import type { ReleaseRecord } from '../../../core/release/record.ts';

const record = (
  id: string,
  versionId: string,
  outcome: ReleaseRecord['outcome'] = 'RELEASED',
): ReleaseRecord => ({
  id,
  outcome,
  source: { bucket: 'b', key: 'k', versionId },
  parameters: {},
});

describe('the release to roll back to', () => {
  const all = [record('1', 'a'), record('2', 'b'), record('3', 'x', 'ROLLED_BACK'), record('4', 'b')];

  it('is the last good one of another upload', () => {
    expect(targetOf(all, undefined)).toMatchObject({ from: { id: '4' }, target: { id: '1' } });
  });

  it('is the one that is named', () => {
    expect(targetOf(all, '2')).toMatchObject({ from: { id: '4' }, target: { id: '2' } });
  });

  it.each([
    [all, '3', '"3" is no release of this stack; released: 1, 2, 4'],
    [[record('1', 'a')], undefined, 'there is no release of another upload before 1'],
    [[], undefined, 'nothing was released yet'],
    [[record('3', 'x', 'FAILED')], undefined, 'nothing was released yet'],
  ])('is none among %j for %s', (records, to, message) => {
    expect(() => targetOf(records, to)).toThrow(message);
  });
});

describe('a failure that a program learns of by its name', () => {
  it('ends it as the failure itself would', () => {
    for (const [name, Class] of Object.entries(errors)) {
      if (typeof Class !== 'function' || !(Class.prototype instanceof errors.PlimsollError)) continue;
      expect(failureClass(name)).toBe(Class);
      expect([1, 2]).toContain(exitCodeOf(name));
    }
    expect(exitCodeOf('PrerequisiteError')).toBe(2);
    expect(exitCodeOf('BudgetExceededError')).toBe(1);
  });

  it('is a failed check where nobody knows the name', () => {
    for (const name of ['States.Timeout', 'messageOf', 'PlimsollError', 'constructor', ''])
      expect([failureClass(name), exitCodeOf(name)]).toEqual([undefined, 1]);
  });
});
