// Says in plain words what the operating system or the network answered. Plain JavaScript without dependencies, since the
// set-up and the launcher, which run before anything is bundled, say it with the same words.
import { accessSync, existsSync, constants as fsConstants } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { inspect } from 'node:util';

const NO_SPACE = ['no space is left on its file system', 'Free some space, then run the same command again.'];
const NOT_ALLOWED = [
  'permission denied',
  'Give your user the right to it, or run the command in a folder of your own.',
];
const FILE_IN_THE_WAY = ['a file stands where a folder is needed', 'Remove or rename the file.'];
const TOO_MANY_FILES = ['too many files are open', 'Raise the limit, then run again: ulimit -n 8192'];
const NO_MEMORY = ['no memory is left', 'End other programs, then run the same command again.'];
const UNREACHABLE = [
  'cannot be reached',
  'Check the network connection, the proxy settings and the name of the host.',
];

/** What happened and the next step, by errno (errno(3)) or by the code of Node's resolver (getaddrinfo(3)). */
const SENTENCES = {
  ENOSPC: NO_SPACE,
  EDQUOT: ['your quota of disk space is used up', NO_SPACE[1]],
  EROFS: ['the file system is read-only', 'Work in a copy of the folder that can be written to.'],
  EACCES: NOT_ALLOWED,
  EPERM: NOT_ALLOWED,
  ENOENT: [
    'no such file or folder',
    'Check the path. If another program has removed it, run the command again.',
  ],
  ENOTDIR: FILE_IN_THE_WAY,
  EEXIST: FILE_IN_THE_WAY,
  EISDIR: ['a folder stands where a file is needed', 'Remove or rename the folder.'],
  ENOTEMPTY: [
    'another program writes to this folder',
    'Wait until it has ended, then run the command again.',
  ],
  ENAMETOOLONG: [
    'the name is too long for the file system',
    'Shorten it, or work in a folder with a shorter path.',
  ],
  ELOOP: ['symbolic links lead in a circle', 'Remove one of them.'],
  EIO: ['the disk cannot be read or written', 'Check the disk and its cables.'],
  EFBIG: [
    'the file is larger than the file system or ulimit -f allows',
    'Raise the limit: ulimit -f unlimited',
  ],
  EBUSY: ['another program uses it', 'Wait until it has ended, then run the command again.'],
  ETXTBSY: ['another program writes to it', 'Wait until it has ended, then run the command again.'],
  ENOEXEC: ['this machine cannot run it', 'Install it anew for this processor.'],
  EMFILE: TOO_MANY_FILES,
  ENFILE: TOO_MANY_FILES,
  ENOMEM: NO_MEMORY,
  EAGAIN: ['the system starts no more processes', 'End other programs, or raise the limit: ulimit -u'],
  EADDRINUSE: ['another program listens on this port', 'Choose another port.'],
  ECONNREFUSED: UNREACHABLE,
  ECONNRESET: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  ETIMEDOUT: UNREACHABLE,
  ENOTFOUND: UNREACHABLE,
  EAI_AGAIN: UNREACHABLE,
};

/** The path, or what is there above it. */
function nearest(path) {
  let above = path;
  while (!existsSync(above) && above !== dirname(above)) above = dirname(above);
  return above;
}

/**
 * Why a folder could not be made. With `recursive`, Node says ENOENT for whatever it does not expect, such as EROFS.
 * @returns the code of the error
 */
function whyNotMade(path) {
  try {
    accessSync(nearest(path), fsConstants.W_OK);
    return 'ENOENT';
  } catch (error) {
    return error.code;
  }
}

/** What the failed call was about: a file, a program or an address. */
function subjectOf({ code, path, hostname, address, port, syscall }) {
  if (path !== undefined) return code === 'ENOTDIR' ? nearest(path) : path;
  if (hostname !== undefined) return hostname;
  if (address !== undefined) return port === undefined ? address : `${address}:${port}`;
  return syscall === undefined ? 'the system' : `the system (${syscall})`;
}

/** The first error along the chain of causes that has a code we know. fetch() and some clients wrap what happened. */
function knownIn(error) {
  for (let one = error, depth = 0; one instanceof Error && depth < 10; one = one.cause, depth += 1)
    if (Object.hasOwn(SENTENCES, one.code)) return one;
  return undefined;
}

/**
 * @param error anything thrown
 * @returns what the operating system or the network answered, with the path and the next step, or undefined for any other error
 */
export function systemSentence(error) {
  const known = knownIn(error);
  if (known === undefined) return undefined;
  const { syscall, path } = known;
  const code = syscall === 'mkdir' && known.code === 'ENOENT' ? whyNotMade(path) : known.code;
  if (syscall === 'uv_cwd')
    return 'the current folder has been deleted.\n  Change to a folder that is there.';
  const [what, remedy] = SENTENCES[code];
  if (syscall === 'mkdtemp') {
    return `${dirname(path)}: ${what} (${code}); temporary files go there.\n  Free or create it, or set TMPDIR to a folder that can be written to.`;
  }
  return `${subjectOf(known)}: ${what} (${code}).\n  ${remedy}`;
}

/** What is the machine's fault whatever program met it: in a program's output the others may mean anything. */
const OF_THE_MACHINE = ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EIO', 'EMFILE', 'ENFILE', 'ENOMEM'];

/**
 * @param text what a program has printed before it failed: Node `ENOSPC: …`, Python `[Errno 28] …: 'path'`, uv `… (os error 28)`
 * @returns an error like one of Node's, with code and path, its cause what was printed, where the machine was at fault
 */
export function systemErrorIn(text) {
  const code = OF_THE_MACHINE.find((name) => {
    const number = constants.errno[name];
    return new RegExp(`\\b${name}\\b|\\[Errno ${number}\\]|\\(os error ${number}\\)`).test(text);
  });
  if (code === undefined) return undefined;
  const [, path] =
    /\[Errno \d+\] [^:\n]*: '([^'\n]+)'/.exec(text) ??
    /(\/(?:(?! to \/)[^`'"\n])*)[`'"]?: [A-Z][a-z -]+ \(os error/.exec(text) ??
    /\bE[A-Z]+: [^'\n]*'([^'\n]+)'/.exec(text) ??
    [];
  const error = new Error(`${code}: ${path ?? text.trim().split('\n').at(-1)}`, { cause: text });
  return Object.assign(error, { code, ...(path === undefined ? {} : { path }) });
}

/**
 * Waits for a call whose errors do not name the file, such as one that writes to an open file.
 * @throws what the call throws, with the path in it
 */
export async function namingPath(path, call) {
  try {
    return await call;
  } catch (error) {
    if (error instanceof Error && error.code !== undefined) error.path ??= path;
    throw error;
  }
}

const MAX_MESSAGE = 500;

/** Whether a person wants to see where an error comes from. */
export const isDebugging = () => !['', '0', undefined].includes(process.env.PLIMSOLL_DEBUG);

/**
 * @param error anything thrown that is no failure of ours
 * @returns the text for people: one sentence and the next step; with PLIMSOLL_DEBUG=1 the stack, too
 */
export function explain(error) {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const [line = ''] = message.split('\n');
  const text =
    systemSentence(error) ??
    `an error in Plimsoll itself: ${line.slice(0, MAX_MESSAGE)}\n  Run the same command with PLIMSOLL_DEBUG=1 for the details, and report both.`;
  return isDebugging() ? `${text}\n${inspect(error)}` : text;
}

/** Exit codes: 2 where the machine or the project is at fault, 1 where Plimsoll is. */
export const exitCodeOfError = (error) => (systemSentence(error) === undefined ? 1 : 2);
