// What a command has started carries a mark in its environment, and is found by that wherever it is: a program in a session of
// its own is in no process group of ours (setsid(2)), and the child of a parent that has ended is nobody's. Linux alone shows
// environments, in /proc; elsewhere the process groups are all there is.
import { readdirSync, readFileSync } from 'node:fs';

/** Name of the variable in which a command marks what it starts. */
export const MARK = 'PLIMSOLL_COMMAND';

/** A process that starts others faster than they are found is given up after so many rounds. */
const MAX_ROUNDS = 20;

/** Ids of the processes, this one aside, whose environment holds the mark, or one that begins with it and a slash. */
export function marked(mark) {
  let names;
  try {
    names = readdirSync('/proc');
  } catch {
    return [];
  }
  const entries = [`${MARK}=${mark}\0`, `${MARK}=${mark}/`];
  return names.flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      // Of another user, or gone meanwhile: not ours.
      const environment = `\0${readFileSync(`/proc/${name}/environ`, 'latin1')}`;
      return entries.some((entry) => environment.includes(`\0${entry}`)) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

/** Kills all that is marked, and what that starts meanwhile. */
export function killMarked(mark) {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const found = marked(mark);
    if (found.length === 0) return;
    for (const pid of found) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
  }
}
