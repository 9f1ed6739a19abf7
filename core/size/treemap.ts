import { hierarchy, treemap } from 'd3-hierarchy';
import { packageOf } from './report.ts';

/** One folder of an artifact on a map: its area is in proportion to its bytes. */
export interface Tile {
  package: string;
  /** Two levels deep: `numpy/core`. */
  folder: string;
  bytes: number;
  x: number;
  y: number;
  width: number;
  height: number;
}

interface Node {
  name: string;
  bytes: number;
  children?: Node[];
}

const GAP = 1;

/** The package that a folder belongs to: `numpy.libs` is numpy's. */
export const packageOfFolder = (folder: string): string => packageOf(`${folder}/file`);

/**
 * Lays folders out on a map, those of one package side by side. Two maps of one scale, before and after, can be compared
 * by eye: so many bytes are so many square pixels in both. Pure.
 * @param folders bytes by folder @param width in pixels @param bytesPerPixel scale
 */
export function layOut(
  folders: readonly (readonly [string, number])[],
  width: number,
  bytesPerPixel: number,
): { tiles: Tile[]; height: number } {
  const packages = new Map<string, Node[]>();
  for (const [folder, bytes] of folders) {
    const name = packageOfFolder(folder);
    packages.set(name, [...(packages.get(name) ?? []), { name: folder, bytes }]);
  }
  const total = folders.reduce((sum, [, bytes]) => sum + bytes, 0);
  const height = Math.max(1, total / bytesPerPixel / width);
  const root = hierarchy<Node>({
    name: '',
    bytes: 0,
    children: [...packages].map(([name, children]) => ({ name, bytes: 0, children })),
  })
    .sum(({ bytes }) => bytes)
    .sort((a, b) => (b.value ?? 0) - (a.value ?? 0) || (a.data.name < b.data.name ? -1 : 1));
  const placed = treemap<Node>().size([width, height]).paddingInner(GAP)(root);
  const tiles = placed.leaves().map((leaf) => ({
    package: leaf.parent?.data.name ?? '',
    folder: leaf.data.name,
    bytes: leaf.data.bytes,
    x: leaf.x0,
    y: leaf.y0,
    width: leaf.x1 - leaf.x0,
    height: leaf.y1 - leaf.y0,
  }));
  return { tiles: tiles.filter((tile) => tile.bytes > 0), height };
}
