/**
 * What services hand to a function, in the shapes that AWS documents (AWS Lambda Developer Guide, "Invoking Lambda with events
 * from other AWS services", and each service's own page). All of it pure, and the same each time: account, time and ids are fixed.
 */

const ACCOUNT = '123456789012';
const REGION = 'us-east-1';
const TIME = '2026-01-15T12:00:00Z';
const EPOCH_MS = 1_768_478_400_000;
const ID = '11111111-2222-4333-8444-555555555555';

export type Event = Readonly<Record<string, unknown>>;

/** A request that an API takes. */
export interface Request {
  method: string;
  /** As the template writes it: `/orders/{id}`. */
  path: string;
  body?: unknown;
}

/** `{id}` and `{proxy+}` of a path, each with something that may stand there. */
export function pathParameters(path: string): Record<string, string> {
  return Object.fromEntries(
    [...path.matchAll(/\{([^}+]+)\+?\}/g)].map(([, name = '']) => [name, /id$/i.test(name) ? '1' : name]),
  );
}

const filled = (path: string) => {
  const values = pathParameters(path);
  return path.replace(/\{([^}+]+)\+?\}/g, (_, name: string) => values[name] ?? name);
};
const orNull = (values: Record<string, string>) => (Object.keys(values).length > 0 ? values : null);
const text = (body: unknown) => (body === undefined ? null : JSON.stringify(body));
const HEADERS = { accept: 'application/json', 'content-type': 'application/json', host: 'api.example.com' };

/** A REST API's proxy event, payload 1.0. Source: "Using AWS Lambda with Amazon API Gateway". */
export const restRequest = ({ method, path, body }: Request): Event => ({
  resource: path,
  path: filled(path),
  httpMethod: method,
  headers: HEADERS,
  multiValueHeaders: Object.fromEntries(Object.entries(HEADERS).map(([name, value]) => [name, [value]])),
  queryStringParameters: null,
  multiValueQueryStringParameters: null,
  pathParameters: orNull(pathParameters(path)),
  stageVariables: null,
  requestContext: {
    accountId: ACCOUNT,
    apiId: 'abcdef1234',
    domainName: 'api.example.com',
    domainPrefix: 'api',
    extendedRequestId: 'request',
    httpMethod: method,
    identity: { sourceIp: '192.0.2.1', userAgent: 'plimsoll' },
    path: `/prod${filled(path)}`,
    protocol: 'HTTP/1.1',
    requestId: ID,
    requestTime: '15/Jan/2026:12:00:00 +0000',
    requestTimeEpoch: EPOCH_MS,
    resourceId: 'abc123',
    resourcePath: path,
    stage: 'prod',
  },
  body: text(body),
  isBase64Encoded: false,
});

/** An HTTP API's proxy event, payload 2.0, and a function URL's. Source: "AWS Lambda proxy integrations for HTTP APIs". */
export const httpRequest = ({ method, path, body }: Request): Event => {
  const parameters = pathParameters(path);
  return {
    version: '2.0',
    routeKey: path === '$default' ? '$default' : `${method} ${path}`,
    rawPath: path === '$default' ? '/' : filled(path),
    rawQueryString: '',
    headers: HEADERS,
    ...(Object.keys(parameters).length > 0 ? { pathParameters: parameters } : {}),
    requestContext: {
      accountId: ACCOUNT,
      apiId: 'abcdef1234',
      domainName: 'api.example.com',
      domainPrefix: 'api',
      http: {
        method,
        path: path === '$default' ? '/' : filled(path),
        protocol: 'HTTP/1.1',
        sourceIp: '192.0.2.1',
        userAgent: 'plimsoll',
      },
      requestId: ID,
      routeKey: path === '$default' ? '$default' : `${method} ${path}`,
      stage: '$default',
      time: '15/Jan/2026:12:00:00 +0000',
      timeEpoch: EPOCH_MS,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    isBase64Encoded: false,
  };
};

/** Source: "Process Amazon S3 event notifications with Lambda"; Amazon S3 User Guide, "Event message structure". */
export const s3Event = (eventName: string, key = 'folder/file.txt'): Event => ({
  Records: [
    {
      eventVersion: '2.1',
      eventSource: 'aws:s3',
      awsRegion: REGION,
      eventTime: TIME,
      eventName: eventName.replace(/^s3:/, '').replace('*', 'Put'),
      userIdentity: { principalId: 'AWS:EXAMPLE' },
      requestParameters: { sourceIPAddress: '192.0.2.1' },
      responseElements: { 'x-amz-request-id': 'EXAMPLE123456789', 'x-amz-id-2': 'EXAMPLE' },
      s3: {
        s3SchemaVersion: '1.0',
        configurationId: 'example',
        bucket: {
          name: 'example-bucket',
          ownerIdentity: { principalId: 'EXAMPLE' },
          arn: 'arn:aws:s3:::example-bucket',
        },
        object: {
          key,
          size: 1024,
          eTag: '0123456789abcdef0123456789abcdef',
          sequencer: '0A1B2C3D4E5F678901',
        },
      },
    },
  ],
});

/** Source: "Using Lambda with Amazon SQS". */
export const sqsEvent = (body = '{}'): Event => ({
  Records: [
    {
      messageId: ID,
      receiptHandle: 'handle',
      body,
      attributes: {
        ApproximateReceiveCount: '1',
        SentTimestamp: String(EPOCH_MS),
        SenderId: 'AIDAEXAMPLE',
        ApproximateFirstReceiveTimestamp: String(EPOCH_MS),
      },
      messageAttributes: {},
      md5OfBody: '99914b932bd37a50b983c5e7c90ae93b',
      eventSource: 'aws:sqs',
      eventSourceARN: `arn:aws:sqs:${REGION}:${ACCOUNT}:example`,
      awsRegion: REGION,
    },
  ],
});

/** Source: "Invoking Lambda functions with Amazon SNS notifications". */
export const snsEvent = (Message = '{}'): Event => ({
  Records: [
    {
      EventVersion: '1.0',
      EventSource: 'aws:sns',
      EventSubscriptionArn: `arn:aws:sns:${REGION}:${ACCOUNT}:example:${ID}`,
      Sns: {
        Type: 'Notification',
        MessageId: ID,
        TopicArn: `arn:aws:sns:${REGION}:${ACCOUNT}:example`,
        Subject: 'example',
        Message,
        Timestamp: '2026-01-15T12:00:00.000Z',
        SignatureVersion: '1',
        Signature: 'EXAMPLE',
        SigningCertUrl: 'https://sns.us-east-1.amazonaws.com/example.pem',
        UnsubscribeUrl: 'https://sns.us-east-1.amazonaws.com/example',
        MessageAttributes: {},
      },
    },
  ],
});

/** Source: Amazon EventBridge User Guide, "AWS service event metadata". */
export const eventBridgeEvent = (source: string, detailType: string, detail: unknown): Event => ({
  version: '0',
  id: ID,
  'detail-type': detailType,
  source,
  account: ACCOUNT,
  time: TIME,
  region: REGION,
  resources: [],
  detail,
});

/** Source: Amazon EventBridge User Guide, "Scheduled events". */
export const scheduledEvent = (): Event => ({
  ...eventBridgeEvent('aws.events', 'Scheduled Event', {}),
  resources: [`arn:aws:events:${REGION}:${ACCOUNT}:rule/example`],
});

/** Source: "Using AWS Lambda with Amazon DynamoDB". */
export const dynamoDbEvent = (): Event => ({
  Records: [
    {
      eventID: '1',
      eventName: 'INSERT',
      eventVersion: '1.1',
      eventSource: 'aws:dynamodb',
      awsRegion: REGION,
      dynamodb: {
        ApproximateCreationDateTime: EPOCH_MS / 1000,
        Keys: { id: { S: '1' } },
        NewImage: { id: { S: '1' } },
        SequenceNumber: '111',
        SizeBytes: 26,
        StreamViewType: 'NEW_AND_OLD_IMAGES',
      },
      eventSourceARN: `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/example/stream/${TIME.slice(0, 10)}T00:00:00.000`,
    },
  ],
});

/** Source: "Using Lambda to process records from Amazon Kinesis Data Streams". */
export const kinesisEvent = (data = '{}'): Event => ({
  Records: [
    {
      kinesis: {
        kinesisSchemaVersion: '1.0',
        partitionKey: '1',
        sequenceNumber: '49590338271490256608559692538361571095921575989136588898',
        data: Buffer.from(data).toString('base64'),
        approximateArrivalTimestamp: EPOCH_MS / 1000,
      },
      eventSource: 'aws:kinesis',
      eventVersion: '1.0',
      eventID: 'shardId-000000000006:49590338271490256608559692538361571095921575989136588898',
      eventName: 'aws:kinesis:record',
      invokeIdentityArn: `arn:aws:iam::${ACCOUNT}:role/example`,
      awsRegion: REGION,
      eventSourceARN: `arn:aws:kinesis:${REGION}:${ACCOUNT}:stream/example`,
    },
  ],
});
