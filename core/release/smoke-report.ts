import { z } from 'zod';

/** One check that passed, and how long it took. */
export const passedSchema = z.object({ check: z.string(), ms: z.number() });
export type Passed = z.infer<typeof passedSchema>;

/** What a batch of smoke tests has shown, as it lies in the artifact bucket. */
export const smokeReportSchema = z.object({
  passed: z.array(passedSchema),
  /** Functions whose logs are to be looked at. */
  called: z
    .array(
      z.object({
        /** Logical id, and physical name. */
        function: z.string(),
        name: z.string(),
        /** Id of the last request, where its log named it. */
        lastRequest: z.string().optional(),
      }),
    )
    .default([]),
});
export type SmokeReport = z.input<typeof smokeReportSchema>;
