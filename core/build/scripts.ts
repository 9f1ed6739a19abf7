import { fileURLToPath } from 'node:url';

/** Path of one of the Python scripts, which stand in python/ beside this file and beside the bundled command line. */
export const script = (name: string): string => fileURLToPath(new URL(`./python/${name}`, import.meta.url));
