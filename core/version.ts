import manifest from '../package.json' with { type: 'json' };

/** Of this checkout: the command line's, and the pipeline's that it installs. */
export const VERSION: string = manifest.version;
