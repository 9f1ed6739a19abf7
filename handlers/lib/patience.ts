/**
 * Configuration of the clients of those handlers that make many calls in a short time. Lambda takes 15 calls a second of its
 * control plane and as many invocations at once as the account may have, CloudWatch Logs 5 FilterLogEvents, CloudWatch 3
 * PutMetricAlarm (their developer guides, "Quotas"); a throttled call is made again, ever more slowly: 60 seconds in all.
 */
export const PATIENT = { maxAttempts: 10, retryMode: 'adaptive' } as const;
