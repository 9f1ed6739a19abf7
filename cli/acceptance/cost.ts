import prices from './prices.json' with { type: 'json' };

type Price = keyof typeof prices.prices;

/** One hour of a month, by which CloudWatch and S3 charge what stands for a month. */
const HOUR = 1 / 730;

/**
 * What one acceptance uses, without any free tier: two releases of the example and a rollback. Estimates on the high side:
 * one build a release (docs/builds.md), five minutes each, and nobody has measured the rest in an account yet.
 */
const USED: readonly { what: string; price: Price; quantity: number; unit: string }[] = [
  { what: 'CodeBuild, general1.medium', price: 'codebuild-medium-minute', quantity: 10, unit: 'minutes' },
  {
    what: 'Lambda, handlers, probes and twins',
    price: 'lambda-gb-second',
    quantity: 900,
    unit: 'GB-seconds',
  },
  { what: 'Step Functions', price: 'step-functions-transition', quantity: 200, unit: 'transitions' },
  { what: '9 alarms for an hour', price: 'cloudwatch-alarm-month', quantity: 9 * HOUR, unit: 'months' },
  { what: '30 metrics for an hour', price: 'cloudwatch-metric-month', quantity: 30 * HOUR, unit: 'months' },
  { what: 'a dashboard for an hour', price: 'cloudwatch-dashboard-month', quantity: HOUR, unit: 'months' },
  { what: 'logs', price: 'cloudwatch-logs-gb', quantity: 0.01, unit: 'GB' },
  { what: 'S3, uploads and artifacts', price: 's3-put', quantity: 400, unit: 'requests' },
  { what: 'S3, half a GB for an hour', price: 's3-gb-month', quantity: 0.5 * HOUR, unit: 'GB-months' },
];

export interface Cost {
  lines: { what: string; quantity: number; unit: string; usd: number; source: string }[];
  /** US$, before any free tier. */
  total: number;
  /** Of the prices. */
  date: string;
  region: string;
}

/** What an acceptance costs by AWS's published prices. */
export function acceptanceCost(): Cost {
  const lines = USED.map(({ what, price, quantity, unit }) => {
    const { usd, source } = prices.prices[price];
    return { what, quantity, unit, usd: usd * quantity, source };
  });
  const total = lines.reduce((sum, { usd }) => sum + usd, 0);
  return { lines, total, date: prices.date, region: prices.region };
}
