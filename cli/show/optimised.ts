import type { HeavyImport, ProjectDecisions } from '../../core/optimise/decisions.ts';
import { megabytes } from '../../core/size/report.ts';
import { duration, table } from './table.ts';

/** So many imports are shown of each function; --json has all. */
const MOST = 5;

/** What each step took from each artifact, and what was put back. */
export function stepsTable(artifacts: ProjectDecisions['layer']): string {
  const rows = Object.entries(artifacts).flatMap(([name, { steps, lazy }]) =>
    steps
      .filter(({ removed, putBack, note }) => removed.length + putBack.length > 0 || note !== undefined)
      .map(({ step, removed, putBack, note }) => {
        const files = removed.reduce((sum, one) => sum + one.files, 0);
        const bytes = removed.reduce((sum, one) => sum + one.bytes, 0);
        const lines = Object.values(lazy).reduce((sum, one) => sum + one.lines.length, 0);
        return [
          name,
          step,
          String(files),
          step === 'lazy' ? `${lines} imports put off` : megabytes(bytes),
          putBack.length > 0 ? String(putBack.length) : '',
          note === undefined ? '' : `nothing, since ${note}`,
        ];
      }),
  );
  return table(
    [
      { title: 'artifact' },
      { title: 'step' },
      { title: 'files', align: 'right' },
      { title: 'less', align: 'right' },
      { title: 'put back', align: 'right' },
      { title: '' },
    ],
    rows,
  );
}

/** The module that was asked for, and how many came with it. */
export const whatIsLoaded = (modules: readonly string[]): string =>
  `${modules.at(-1)}${modules.length > 1 ? ` and ${modules.length - 1} more` : ''}`;

/** The imports that cost most in each function, and that no event used. */
export function heavyTable(imports: readonly HeavyImport[]): string {
  const names = [...new Set(imports.map((one) => one.function))];
  const rows = names.flatMap((name) =>
    imports
      .filter((one) => one.function === name)
      .slice(0, MOST)
      .map(({ artifact, file, line, modules, ms, bytes, deferred }) => [
        name,
        `${file}:${line}`,
        artifact,
        whatIsLoaded(modules),
        duration(ms),
        megabytes(bytes),
        deferred === 0 ? '' : deferred === modules.length ? 'put off' : `${deferred} put off`,
      ]),
  );
  return table(
    [
      { title: 'function' },
      { title: 'import at' },
      { title: 'in' },
      { title: 'loads' },
      { title: 'time', align: 'right' },
      { title: 'bytes', align: 'right' },
      { title: '' },
    ],
    rows,
  );
}
