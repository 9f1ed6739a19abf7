import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sourceOf } from './bytecode.ts';
import type { Manifest } from './manifest.ts';
import { normalizeName } from './names.ts';
import { parseMetadata } from './sbom.ts';

/** The distribution that a file of a layer belongs to, by the name at the top of the tree; namespaces have several. */
export function owners(manifest: Pick<Manifest, 'distributions'>): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { name, top } of manifest.distributions)
    for (const one of top) found.set(one, [...(found.get(one) ?? []), name]);
  return found;
}

/** Bytes of each distribution as it is shipped. */
export function shippedBytes(manifest: Pick<Manifest, 'distributions' | 'files'>): Map<string, number> {
  const owner = owners(manifest);
  const found = new Map<string, number>();
  for (const [path, bytes] of manifest.files) {
    const [top = ''] = path.replace(/^python\//, '').split('/');
    const [name] = owner.get(sourceOf(top)) ?? owner.get(top) ?? [];
    if (name !== undefined) found.set(name, (found.get(name) ?? 0) + bytes);
  }
  return found;
}

/** The distributions that files belong to. @param paths relative to the layer's libraries */
export function distributionsOf(
  manifest: Pick<Manifest, 'distributions'>,
  paths: readonly string[],
): Set<string> {
  const owner = owners(manifest);
  return new Set(
    paths.flatMap((path) => {
      const [top = ''] = path.split('/');
      return owner.get(sourceOf(top)) ?? owner.get(top) ?? [];
    }),
  );
}

/** What each distribution in a tree says that it needs, extras left out (core metadata specification, Requires-Dist). */
export function requirementsIn(libraries: string): Map<string, string[]> {
  const folders = readdirSync(libraries).filter((name) => name.endsWith('.dist-info'));
  return new Map(
    folders.flatMap((folder) => {
      const fields = parseMetadata(readFileSync(join(libraries, folder, 'METADATA'), 'utf8'));
      const name = fields.find(([key]) => key === 'name')?.[1];
      const needs = fields.flatMap(([key, value]) => {
        if (key !== 'requires-dist' || /;.*\bextra\b/.test(value)) return [];
        const required = /^[A-Za-z0-9][A-Za-z0-9._-]*/.exec(value)?.[0];
        return required === undefined ? [] : [normalizeName(required)];
      });
      return name === undefined ? [] : [[normalizeName(name), needs] as const];
    }),
  );
}

/** All that some distributions need, themselves included, as far as it is there. Pure. */
export function withRequirements(
  names: Iterable<string>,
  requirements: ReadonlyMap<string, readonly string[]>,
): Set<string> {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name) || !requirements.has(name)) return;
    found.add(name);
    for (const next of requirements.get(name) ?? []) visit(next);
  };
  for (const name of names) visit(name);
  return found;
}
