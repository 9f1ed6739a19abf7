import { z } from 'zod';

/** Outputs of the pipeline's stack, by which it is found. */
export const pipelineOutputsSchema = z.object({
  SourceBucket: z.string(),
  ArtifactBucket: z.string(),
  ReleasesTable: z.string(),
  DeployMachine: z.string(),
  RollbackMachine: z.string(),
  Topic: z.string(),
});

export type PipelineOutputs = z.infer<typeof pipelineOutputsSchema>;
