import { withoutCredentials } from './credentials.ts';
import { normalizeName } from './names.ts';
import type { Target } from './resolve.ts';
import { glibcOf } from './uv.ts';

/** What uv says of a resolution that it did not find, for people and for the next attempt. All of it pure. */

/** uv's own words, without its frame, and with our file names put back. */
export function readable(stderr: string, ids: readonly string[]): string {
  const text = withoutCredentials(stderr)
    .split('\n')
    .filter((line) => !/^(warning|hint):/i.test(line.trim()))
    .map((line) => line.replace(/^[\s×╰─▶│├]+/, ''))
    .join(' ')
    .replace(/set-(\d+)\.txt/g, (whole, index: string) => ids[Number(index)] ?? whole)
    .replace(/\s+/g, ' ');
  return text.trim().slice(0, 2000);
}

/** Names that uv would take, had they a wheel for the target. Pure. @param stderr of `uv pip compile --only-binary` */
export const withoutWheels = (stderr: string): string[] => [
  ...new Set(
    [...stderr.matchAll(/Wheels are required for `([^`]+)`/g)].map(([, name = '']) => normalizeName(name)),
  ),
];

/**
 * Why the wheels of a package do not fit, where it is the age of Lambda's operating system; undefined where it is not. Pure.
 * @param stderr of `uv pip compile --only-binary`
 */
export function whyTooNew(stderr: string, { python, architecture }: Target): string | undefined {
  const [, name = '', version = '', platforms = ''] =
    /Wheels are available for `([^`]+)` \(v([^)]+)\) on the following platforms?: ([^\n]+)/.exec(stderr) ??
    [];
  const machine = architecture === 'arm64' ? 'aarch64' : 'x86_64';
  const fitting = [...platforms.matchAll(/`manylinux_2_(\d+)_(\w+)`/g)].flatMap(([, minor, on]) =>
    on === machine ? [Number(minor)] : [],
  );
  const there = glibcOf(python);
  const oldest = Math.min(...fitting);
  if (fitting.length === 0 || oldest <= there) return undefined;
  const other = oldest <= glibcOf('3.12') ? 'python3.12, or ' : '';
  return `${name} ${version} has wheels for glibc 2.${oldest} and newer; python${python} on Lambda has 2.${there}\n  Take ${other}${name}<${version}.`;
}
