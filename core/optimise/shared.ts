import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { listTree } from '../build/tree.ts';
import { readElf, type Section } from './elf.ts';
import { isNative } from './native.ts';
import type { Change } from './stash.ts';
import { ownersOf, type Unit } from './unit.ts';

const SHT_NOBITS = 8;

/** What the loader maps of a library, less the table of addresses that patchelf moves about with the strings. */
function mappedSections(bytes: Buffer): [Section, Buffer][] | undefined {
  const sections = readElf(bytes)?.sections.filter(
    ({ address, name, type }) => address > 0 && name !== '.dynamic' && type !== SHT_NOBITS,
  );
  return sections
    ?.map((section): [Section, Buffer] => [
      section,
      bytes.subarray(section.offset, section.offset + section.size),
    ])
    .sort(([a], [b]) => (a.name < b.name ? -1 : 1));
}

/** Whether two libraries are one: byte by byte, or in all sections that the loader maps, as tools that repair wheels leave them. */
export function isSameLibrary(one: Buffer, other: Buffer): boolean {
  if (one.equals(other)) return true;
  const [a, b] = [mappedSections(one), mappedSections(other)];
  return (
    a !== undefined &&
    b !== undefined &&
    a.length > 0 &&
    a.length === b.length &&
    a.every(([section, content], index) => {
      const twin = b[index];
      return twin !== undefined && twin[0].name === section.name && twin[1].equals(content);
    })
  );
}

/**
 * Libraries that a layer beneath brings under the same name: the loader takes the one that is loaded already (ld.so(8): a
 * library is known by its DT_SONAME). Only what wheels put beside their packages, never an extension module.
 */
export function sharedChanges(unit: Unit, units: readonly Unit[]): Change[] {
  const librariesOf = (one: Unit) =>
    listTree(one.libraries).filter(({ path }) => isNative(path) && /^[^/]+\.libs\//.test(path));
  const beneath = units.filter(({ kind, name }) => kind === 'layer' && unit.beneath.includes(name));
  const known = new Map(
    beneath.flatMap((one) => librariesOf(one).map(({ path }) => [basename(path), { one, path }] as const)),
  );
  const owners = ownersOf(unit);
  return librariesOf(unit).flatMap(({ path, bytes }): Change[] => {
    const twin = known.get(basename(path));
    const isTwin =
      twin &&
      isSameLibrary(
        readFileSync(join(unit.libraries, path)),
        readFileSync(join(twin.one.libraries, twin.path)),
      );
    if (!isTwin || unit.own.has(path)) return [];
    const reason = `Layer ${twin.one.name} brings the same library under the same name.`;
    return [
      { root: unit.libraries, path, saved: bytes, distribution: owners.get(path) ?? unit.name, reason },
    ];
  });
}
