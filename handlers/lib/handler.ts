import { Logger } from '@aws-lambda-powertools/logger';
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { logMetrics } from '@aws-lambda-powertools/metrics/middleware';
import middy from '@middy/core';
import type { z } from 'zod';
import { InvalidInputError } from '../../core/errors.ts';
import { describeIssues } from '../../core/project/config.ts';

/** Namespace of all metrics that the pipeline publishes. */
export const NAMESPACE = 'Plimsoll';

export interface Tools {
  logger: Logger;
  metrics: Metrics;
}

/**
 * Wraps what a state does as a Lambda handler: input parsed, log lines and metrics named after the state.
 * An error leaves under its own name, which is what the state machine's Retry and Catch see.
 */
export function lambdaHandler<S extends z.ZodType, Output>(
  state: string,
  schema: S,
  act: (input: z.output<S>, tools: Tools) => Promise<Output>,
) {
  const logger = new Logger({ serviceName: state });
  const metrics = new Metrics({ namespace: NAMESPACE, serviceName: state });
  return middy<unknown, Output>()
    .use(injectLambdaContext(logger))
    .use(logMetrics(metrics))
    .handler(async (event) => {
      const parsed = schema.safeParse(event);
      if (!parsed.success) throw new InvalidInputError(`${state}: ${describeIssues(parsed.error)}`);
      const output = await act(parsed.data, { logger, metrics });
      logger.info('done', { output: output as object });
      return output;
    });
}

/** The value of an environment variable that the stack sets on the function. @throws InvalidInputError */
export function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '')
    throw new InvalidInputError(`environment variable ${name} is not set; deploy the pipeline anew`);
  return value;
}
