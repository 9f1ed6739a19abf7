import { codeOf, type Elf, type ElfSymbol, EM_X86_64, type Range } from './elf.ts';

/**
 * OpenBLAS carries its kernels once for each family of processors and chooses when it is loaded (DYNAMIC_ARCH: its
 * README, "Support for multiple targets in a single library"). Each function of a family has the family's name at the
 * end of its own.
 *
 * Every x86_64 processor of Lambda has AVX2 (Lambda developer guide, "Using AVX2 vectorization"), so the families
 * without it are never chosen there. Excavator has AVX2, but was never built into a server of AWS.
 */
const WITHOUT_AVX2 = [
  'ATOM',
  'BARCELONA',
  'BOBCAT',
  'BULLDOZER',
  'CORE2',
  'DUNNINGTON',
  'EXCAVATOR',
  'NANO',
  'NEHALEM',
  'OPTERON',
  'OPTERON_SSE3',
  'PENRYN',
  'PILEDRIVER',
  'PRESCOTT',
  'SANDYBRIDGE',
  'STEAMROLLER',
];

const KERNEL = new RegExp(`_(${WITHOUT_AVX2.join('|')})$`);
/** One that stays must be there, or this is not the library that we know. */
const KEPT = /_(HASWELL|ZEN|SKYLAKEX|COOPERLAKE|SAPPHIRERAPIDS)$/;
/** Between two functions there is padding; what is longer than this is not just that. */
const MAX_PADDING = 64;

/** Merges neighbours that only padding parts. */
function merge(functions: readonly Range[], keeps: readonly Range[]): Range[] {
  const starts = keeps.map(({ start }) => start).sort((a, b) => a - b);
  const ranges: Range[] = [];
  let next = 0;
  for (const { start, end } of functions.toSorted((a, b) => a.start - b.start)) {
    const last = ranges.at(-1);
    while (last && (starts[next] ?? Infinity) < last.end) next += 1;
    const isNear = last && start - last.end <= MAX_PADDING && (starts[next] ?? Infinity) >= start;
    if (last && isNear) last.end = Math.max(last.end, end);
    else ranges.push({ start, end });
  }
  return ranges;
}

/** Whether it is a function that only processors without AVX2 would run. */
export const isUnusedKernel = ({ name, isDefined, isFunction }: ElfSymbol): boolean =>
  isDefined && isFunction && KERNEL.test(name);

/** Code that only processors without AVX2 would run; empty for every other library. */
export function unusedKernels(elf: Elf, symbols: readonly ElfSymbol[]): Range[] {
  if (elf.machine !== EM_X86_64) return [];
  const functions = symbols.filter(({ isFunction, value }) => isFunction && value > 0);
  const kernels = functions.filter(({ name }) => KERNEL.test(name));
  if (kernels.length === 0 || !functions.some(({ name }) => KEPT.test(name))) return [];
  const rangeOf = ({ value, size }: ElfSymbol) => ({ start: value, end: value + Math.max(size, 1) });
  const others = functions
    .filter(({ name }) => !KERNEL.test(name))
    .map(rangeOf)
    .sort((a, b) => a.start - b.start);
  const code = codeOf(elf);
  return merge(kernels.map(rangeOf), others)
    .filter(({ start, end }) => code.some((range) => start >= range.start && end <= range.end))
    .flatMap((range) => without(range, others));
}

/** A range less what something else lies in. */
function without(range: Range, occupied: readonly Range[]): Range[] {
  let left = [range];
  for (const one of occupied) {
    if (one.end <= range.start || one.start >= range.end) continue;
    left = left.flatMap(({ start, end }) =>
      one.end <= start || one.start >= end
        ? [{ start, end }]
        : [
            { start, end: one.start },
            { start: one.end, end },
          ].filter((part) => part.end > part.start),
    );
  }
  return left;
}
