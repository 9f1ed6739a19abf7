import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One thing that a step does to a file of a tree. */
export interface Change {
  /** Folder that the path is relative to. */
  root: string;
  path: string;
  /** What is there instead; undefined: nothing. */
  content?: Buffer;
  /** Bytes less. */
  saved: number;
  distribution: string;
  reason: string;
}

/** So many files are moved at a time. */
const AT_ONCE = 64;

async function inBatches<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += AT_ONCE)
    await Promise.all(items.slice(start, start + AT_ONCE).map(act));
}

/** Makes changes and takes them back: what was there before lies in a folder beside, and comes back as it was. */
export class Stash {
  /** Each change of one file has a place of its own, since a later step may change the file again. */
  private readonly places = new Map<Change, string>();
  private count = 0;

  constructor(private readonly folder: string) {}

  async make(changes: readonly Change[]): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    await inBatches(changes, async (change) => {
      const target = join(change.root, change.path);
      const place = join(this.folder, String(this.count++));
      await rename(target, place);
      this.places.set(change, place);
      if (change.content) await writeFile(target, change.content);
    });
  }

  async undo(changes: readonly Change[]): Promise<void> {
    await inBatches(changes, async (change) => {
      const place = this.places.get(change);
      if (place === undefined) return;
      await rename(place, join(change.root, change.path));
      this.places.delete(change);
    });
  }
}
