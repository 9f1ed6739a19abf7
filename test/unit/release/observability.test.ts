import { describe, expect, it } from 'vitest';
import { mayLimit } from '../../../core/release/observability.ts';

const DAY = 86_400_000;
const now = Date.parse('2026-06-30T00:00:00Z');

describe('a limit to how long logs are kept', () => {
  it.each([
    ['where nobody has chosen one and all logs are young', { creationTime: now - 29 * DAY }, true],
    ['not where logs would be gone by it', { creationTime: now - 31 * DAY }, false],
    ['not where nobody can say how old they are', {}, false],
    ['not where a user has chosen one', { creationTime: now, retentionInDays: 7 }, false],
  ])('is set %s', (_when, group, may) => {
    expect(mayLimit(group, now)).toBe(may);
  });
});
