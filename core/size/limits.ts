/** Lambda's own limits: docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */

/** Function and all its layers together, unzipped, in bytes. */
export const LAMBDA_UNZIPPED_BYTES = 262_144_000;
export const LAMBDA_LAYERS_PER_FUNCTION = 5;

/** So many files fit into Lambda's limit at a kilobyte each; Lambda itself documents no limit on their number. */
const MAX_ENTRIES = 250_000;
/** What an uploaded project may hold; far above any SAM project, far below what would fill a build machine. */
export const PROJECT_LIMITS = { entries: MAX_ENTRIES, bytes: 500_000_000 };
/** What a built artifact may hold before it is looked at more closely. */
export const ARTIFACT_LIMITS = { entries: MAX_ENTRIES, bytes: 2 * LAMBDA_UNZIPPED_BYTES };
