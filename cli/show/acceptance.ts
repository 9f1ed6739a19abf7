import type { Cost } from '../acceptance/cost.ts';
import type { Removal } from '../acceptance/remove.ts';
import type { Result } from '../acceptance/steps.ts';
import { dim, duration, green, red, table } from './table.ts';

const usd = (value: number): string => `US$ ${value.toFixed(value < 0.01 ? 4 : 2)}`;

/** What an acceptance will cost, before it asks. */
export function costTable({ lines, total, date, region }: Cost): string {
  const rows = lines.map(({ what, quantity, unit, usd: cost }) => [
    what,
    `${quantity < 1 ? quantity.toFixed(3) : quantity} ${unit}`,
    usd(cost),
  ]);
  const columns = [
    { title: 'what' },
    { title: 'estimate', align: 'right' as const },
    { title: '', align: 'right' as const },
  ];
  return [
    table(columns, [...rows, ['all', '', usd(total)]]),
    dim(
      `Published prices of ${region}, ${date}, without free tiers: ${[...new Set(lines.map(({ source }) => source))].join(' ')}`,
    ),
  ].join('\n');
}

const MARK: Record<Result['verdict'], string> = {
  passed: green('passed'),
  failed: red('failed'),
  skipped: dim('skipped'),
};

export const resultTable = (results: readonly Result[]): string =>
  table(
    [{ title: 'step' }, { title: '' }, { title: 'time', align: 'right' }, { title: 'found' }],
    results.map(({ step, verdict, found, ms }) => [
      step,
      MARK[verdict],
      duration(ms),
      (found.split('\n')[0] ?? '').slice(0, 160),
    ]),
  );

/** The two rows that a removal adds to the table. */
export function removalResults(removal: Removal, ms: number): Result[] {
  const { removed, failures, left } = removal;
  const counts = [...removed].map(([what, count]) => `${count} ${what}`).join(', ');
  const names = left.map(({ what, ids }) => `${what} ${ids.join(', ')}`).join('; ');
  return [
    {
      step: 'Remove everything',
      verdict: failures.length === 0 ? 'passed' : 'failed',
      found: failures.length === 0 ? counts || 'nothing was there' : failures.join('; '),
      ms,
    },
    {
      step: 'Nothing is left',
      verdict: left.length === 0 && failures.length === 0 ? 'passed' : 'failed',
      found:
        left.length > 0
          ? names
          : failures.length > 0
            ? 'not shown, since the removal did not pass'
            : 'no stack, bucket, table, function, layer, alarm, dashboard, queue, topic, log group or role of this name',
      ms: 0,
    },
  ];
}
