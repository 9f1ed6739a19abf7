import type { Finding, Verdict } from '../doctor/check.ts';
import { dim, green, red, table, yellow } from './table.ts';

const MARK: Record<Verdict, string> = {
  ok: green('ok'),
  warning: yellow('warning'),
  failed: red('failed'),
  unknown: dim('not checked'),
};

/** The table of the doctor, then what to do about each line that is not fine. */
export function findingsTable(findings: readonly Finding[]): string {
  const rows = findings.map(({ what, verdict, found }) => [what, MARK[verdict], found]);
  const remedies = findings.flatMap(({ what, verdict, remedy }) =>
    remedy === undefined ? [] : [`${verdict === 'failed' ? red(what) : yellow(what)}\n  ${remedy}`],
  );
  return [table([{ title: 'what' }, { title: '' }, { title: 'found' }], rows), ...remedies].join('\n\n');
}
