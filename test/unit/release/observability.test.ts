import { describe, expect, it } from 'vitest';
import { dashboardBody, mayLimit } from '../../../core/release/observability.ts';

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

describe('the dashboard', () => {
  interface Widget {
    properties: { title?: string; markdown?: string; metrics?: unknown[] };
  }
  const widgetsOf = (count: number) => {
    const functions = Array.from({ length: count }, (_, index) => ({
      logicalId: `F${index}`,
      name: `stack-F${index}`,
    }));
    return (JSON.parse(dashboardBody('stack', functions, 'eu-west-1')) as { widgets: Widget[] }).widgets;
  };
  it.each([0, 1, 249, 250, 300, 500, 2000])('of %i functions fits into one of CloudWatch', (count) => {
    const widgets = widgetsOf(count);
    expect(widgets.length).toBeLessThanOrEqual(500);
    const metrics = widgets.map(({ properties }) => properties.metrics?.length ?? 0);
    expect(Math.max(...metrics)).toBeLessThanOrEqual(500);
    expect(metrics.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(2500);
    expect(metrics.reduce((sum, one) => sum + one, 0)).toBe(5 * Math.min(count, 500));
  });
  it('has a row for each function, and shares rows only where there are too many', () => {
    expect(widgetsOf(249)[497]?.properties.title).toBe('F248: calls');
    expect(widgetsOf(300)[1]?.properties.title).toBe('F0, F1: calls');
    expect(widgetsOf(510)[0]?.properties.markdown).toBe('# stack (10 more functions)');
  });
});
