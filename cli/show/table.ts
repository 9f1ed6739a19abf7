import { stripVTControlCharacters, styleText } from 'node:util';

export interface Column {
  title: string;
  align?: 'left' | 'right';
}

/** A plain table: a header, a line, rows. Cells may carry colour. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => stripVTControlCharacters(row[index] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => {
        const space = ' '.repeat(Math.max(0, (widths[index] ?? 0) - stripVTControlCharacters(cell).length));
        return columns[index]?.align === 'right' ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd();
  return [
    line(columns.map(({ title }) => title)),
    widths.map((width) => '─'.repeat(width)).join('  '),
    ...rows.map(line),
  ].join('\n');
}

/** Colours follow NO_COLOR and whether this is a terminal. */
const coloured = (format: 'red' | 'green' | 'yellow' | 'dim' | 'bold', text: string) =>
  styleText(format, text, { stream: process.stdout });
export const red = (text: string) => coloured('red', text);
export const green = (text: string) => coloured('green', text);
export const yellow = (text: string) => coloured('yellow', text);
export const dim = (text: string) => coloured('dim', text);
export const bold = (text: string) => coloured('bold', text);

/** 1234 ms are 1.2 s; a minute and more 1 m 05 s. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} m ${String(Math.round((ms % 60_000) / 1000)).padStart(2, '0')} s`;
}
