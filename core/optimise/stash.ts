import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

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

/** Makes changes and takes them back: what was there before lies in a folder beside, and comes back as it was. */
export class Stash {
  private readonly made = new Map<string, Change>();

  constructor(private readonly folder: string) {}

  private key = ({ root, path }: Change) => join(root, path);
  private place = (change: Change) =>
    join(this.folder, Buffer.from(change.root).toString('base64url'), change.path);

  has(change: Change): boolean {
    return this.made.get(this.key(change)) === change;
  }

  private async make(change: Change): Promise<void> {
    const target = this.key(change);
    await mkdir(dirname(this.place(change)), { recursive: true });
    await rename(target, this.place(change));
    if (change.content) await writeFile(target, change.content);
    this.made.set(target, change);
  }

  private async undo(change: Change): Promise<void> {
    const target = this.key(change);
    await mkdir(dirname(target), { recursive: true });
    await rm(target, { force: true });
    await rename(this.place(change), target);
    this.made.delete(target);
  }

  /** Leaves just these of the changes made, and undoes the others among `all`. */
  async only(changes: readonly Change[], all: readonly Change[]): Promise<void> {
    const wanted = new Set(changes);
    for (const change of all) if (!wanted.has(change) && this.has(change)) await this.undo(change);
    for (const change of changes) if (!this.has(change)) await this.make(change);
  }
}
