import { mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** One thing that a step does to a file of a tree. */
export interface Change {
  /** Folder that the path is relative to. */
  root: string;
  path: string;
  /** What is there instead; undefined: nothing. */
  instead?: {
    /** Where the new file lies until then. */
    from: string;
    /** Its place, relative to root; it may be the path itself. */
    to: string;
  };
  /** Bytes less. */
  saved: number;
  distribution: string;
  reason: string;
}

/** Makes changes and takes them back by renaming: what was there before lies in a folder beside, and comes back as it was. */
export class Stash {
  /** Each change of one file has a place of its own, since a later step may change the file again. */
  private readonly places = new Map<Change, string>();
  private count = 0;

  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true });
  }

  make(changes: readonly Change[]): void {
    for (const change of changes) {
      const { root, path, instead } = change;
      const place = join(this.folder, String(this.count++));
      renameSync(join(root, path), place);
      this.places.set(change, place);
      if (!instead) continue;
      mkdirSync(dirname(join(root, instead.to)), { recursive: true });
      renameSync(instead.from, join(root, instead.to));
    }
  }

  /** Where the original of a changed file lies now. */
  placeOf(change: Change): string | undefined {
    return this.places.get(change);
  }

  undo(changes: readonly Change[]): void {
    for (const change of changes) {
      const { root, path, instead } = change;
      const place = this.places.get(change);
      if (place === undefined) continue;
      if (instead) renameSync(join(root, instead.to), instead.from);
      renameSync(place, join(root, path));
      this.places.delete(change);
    }
  }
}
