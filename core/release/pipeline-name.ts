import { z } from 'zod';

/** Name of the pipeline's stack unless told otherwise. */
export const DEFAULT_PIPELINE = 'Plimsoll';

/**
 * Name of a pipeline's stack, and the beginning of the name of everything that the pipeline owns.
 * Without a hyphen, `NAME-*` in a policy reaches no pipeline of another name. CloudFormation shortens longer names where it
 * makes the physical names of roles (64 characters) and buckets (63), so that `NAME-*` would no longer match them.
 */
export const pipelineNameSchema = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9]{0,23}$/, 'letters and digits, beginning with a letter, at most 24 characters');

/** The beginning of the names of a pipeline's temporary functions; its roles may create and delete those only. */
export const temporaryPrefix = (pipeline: string, kind: 'probe' | 'twin'): string => `${pipeline}-${kind}-`;
