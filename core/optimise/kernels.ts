import { codeOf, type Elf, type ElfSymbol, EM_X86_64, PAGE, type Range } from './elf.ts';

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
function merge(functions: readonly ElfSymbol[], keeps: readonly ElfSymbol[]): Range[] {
  const starts = keeps.map(({ value }) => value).sort((a, b) => a - b);
  const ranges: Range[] = [];
  for (const { value, size } of functions.toSorted((a, b) => a.value - b.value)) {
    const last = ranges.at(-1);
    const near =
      last && value - last.end <= MAX_PADDING && !starts.some((start) => start >= last.end && start < value);
    if (last && near) last.end = Math.max(last.end, value + size);
    else ranges.push({ start: value, end: value + size });
  }
  return ranges;
}

const inward = ({ start, end }: Range): Range => ({
  start: Math.ceil(start / PAGE) * PAGE,
  end: Math.floor(end / PAGE) * PAGE,
});

/** Whole pages of code that only processors without AVX2 would run; empty for every other library. */
export function unusedKernels(elf: Elf, symbols: readonly ElfSymbol[]): Range[] {
  if (elf.machine !== EM_X86_64) return [];
  const functions = symbols.filter(({ isFunction, value }) => isFunction && value > 0);
  const kernels = functions.filter(({ name }) => KERNEL.test(name));
  if (kernels.length === 0 || !functions.some(({ name }) => KEPT.test(name))) return [];
  const others = functions.filter(({ name }) => !KERNEL.test(name));
  const occupied = others
    .map(({ value, size }) => ({ start: value, end: value + Math.max(size, 1) }))
    .sort((a, b) => a.start - b.start);
  const code = codeOf(elf);
  return merge(kernels, others)
    .map(inward)
    .filter(({ start, end }) => end > start && code.some((range) => start > range.start && end < range.end))
    .flatMap((range) => without(range, occupied));
}

/** A range less the pages that something else lies in. */
function without(range: Range, occupied: readonly Range[]): Range[] {
  let left = [range];
  for (const one of occupied) {
    if (one.end <= range.start || one.start >= range.end) continue;
    left = left.flatMap(({ start, end }) =>
      one.end <= start || one.start >= end
        ? [{ start, end }]
        : [
            { start, end: Math.floor(one.start / PAGE) * PAGE },
            { start: Math.ceil(one.end / PAGE) * PAGE, end },
          ].filter((part) => part.end > part.start),
    );
  }
  return left;
}
