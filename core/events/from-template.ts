import { isObject, objectOf, resolve, resolveText, type Scope } from '../project/intrinsics.ts';
import {
  dynamoDbEvent,
  type Event,
  eventBridgeEvent,
  httpRequest,
  kinesisEvent,
  restRequest,
  s3Event,
  scheduledEvent,
  snsEvent,
  sqsEvent,
} from './shapes.ts';

/** Smoke events that follow from what a template says calls a function. All of it pure. */

export interface MadeEvent {
  /** Of the file: `get-order`. */
  name: string;
  event: unknown;
  /** What it follows from, for people. */
  from: string;
}

/** CoreData becomes core-data. */
const kebab = (name: string) =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .toLowerCase();

/** A value that a part of an EventBridge pattern matches (Amazon EventBridge User Guide, "Comparison operators"). */
function matching(pattern: unknown): unknown {
  if (Array.isArray(pattern)) {
    const [first] = pattern;
    if (!isObject(first)) return first ?? 'example';
    if (typeof first['prefix'] === 'string') return `${first['prefix']}example`;
    if (typeof first['suffix'] === 'string') return `example${first['suffix']}`;
    if (typeof first['wildcard'] === 'string') return first['wildcard'].replaceAll('*', 'example');
    if (typeof first['equals-ignore-case'] === 'string') return first['equals-ignore-case'];
    if (Array.isArray(first['numeric'])) return numberIn(first['numeric']);
    return 'example';
  }
  if (!isObject(pattern)) return pattern;
  return Object.fromEntries(
    Object.entries(pattern)
      .filter(([key, value]) => !key.startsWith('$') && !mustBeMissing(value))
      .map(([key, value]) => [key, matching(value)]),
  );
}

const mustBeMissing = (pattern: unknown) =>
  Array.isArray(pattern) && isObject(pattern[0]) && pattern[0]['exists'] === false;

/** [">", 0, "<=", 5]: a number in it. */
function numberIn(bounds: readonly unknown[]): number {
  const at = (sign: string) => Number(bounds[bounds.indexOf(sign) + 1]);
  if (bounds.includes('=')) return at('=');
  if (bounds.includes('>=')) return at('>=');
  if (bounds.includes('>')) return at('>') + 1;
  if (bounds.includes('<=')) return at('<=');
  return bounds.includes('<') ? at('<') - 1 : 0;
}

function fromPattern(node: unknown, scope: Scope): Event {
  const pattern = objectOf(resolve(node, scope));
  const first = (key: string, otherwise: string) => {
    const value = matching(pattern[key]);
    return typeof value === 'string' ? value : otherwise;
  };
  return eventBridgeEvent(
    first('source', 'example.source'),
    first('detail-type', 'Example'),
    matching(pattern['detail'] ?? {}),
  );
}

/** A method without a body has none. */
const bodyFor = (method: string) =>
  ['GET', 'DELETE', 'HEAD', 'OPTIONS'].includes(method) ? {} : { body: {} };

function requestOf(properties: Record<string, unknown>, scope: Scope) {
  const written = (resolveText(properties['Method'] ?? 'get', scope) ?? 'get').toUpperCase();
  const method = ['ANY', '*', 'X-AMAZON-APIGATEWAY-ANY-METHOD'].includes(written) ? 'GET' : written;
  return { method, path: resolveText(properties['Path'] ?? '/', scope) ?? '/', ...bodyFor(method) };
}

/** The event of one entry under Events; undefined for a source whose shape is not known here. */
function eventOf(type: string, properties: Record<string, unknown>, scope: Scope): unknown {
  switch (type) {
    case 'Api':
      return restRequest(requestOf(properties, scope));
    case 'HttpApi':
      return httpRequest(
        properties['Path'] === undefined ? { method: 'GET', path: '$default' } : requestOf(properties, scope),
      );
    case 'S3': {
      const events = resolve(properties['Events'], scope);
      const name = resolveText(Array.isArray(events) ? events[0] : events, scope);
      return s3Event(name ?? 's3:ObjectCreated:*', keyFor(properties['Filter'], scope));
    }
    case 'SQS':
      return sqsEvent();
    case 'SNS':
      return properties['SqsSubscription']
        ? sqsEvent(JSON.stringify(objectOf((snsEvent()['Records'] as unknown[])[0])['Sns']))
        : snsEvent();
    case 'EventBridgeRule':
    case 'CloudWatchEvent':
      return withInput(properties, scope) ?? fromPattern(properties['Pattern'], scope);
    case 'Schedule':
      return withInput(properties, scope) ?? scheduledEvent();
    case 'ScheduleV2':
      return withInput(properties, scope) ?? {};
    case 'DynamoDB':
      return dynamoDbEvent();
    case 'Kinesis':
      return kinesisEvent();
    default:
      return undefined;
  }
}

/** What a rule hands over in the place of its event. */
function withInput(properties: Record<string, unknown>, scope: Scope): unknown {
  const text = resolveText(properties['Input'], scope);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A key that passes an S3 notification's filter. */
function keyFor(filter: unknown, scope: Scope): string {
  const rules = objectOf(objectOf(filter)['S3Key'])['Rules'];
  const value = (name: string) => {
    const rule = (Array.isArray(rules) ? rules : []).find(
      (one) => isObject(one) && String(one['Name']).toLowerCase() === name,
    );
    return isObject(rule) ? (resolveText(rule['Value'], scope) ?? '') : undefined;
  };
  return `${value('prefix') ?? 'folder/'}file${value('suffix') ?? '.txt'}`;
}

/**
 * The smoke events of a function.
 * @param resource as its template declares it
 */
export function eventsFor(resource: unknown, scope: Scope): MadeEvent[] {
  const properties = objectOf(objectOf(resource)['Properties']);
  const made = Object.entries(objectOf(properties['Events'])).flatMap(([id, node]): MadeEvent[] => {
    const type = String(objectOf(node)['Type'] ?? '');
    const event = eventOf(type, objectOf(objectOf(node)['Properties']), scope);
    return event === undefined ? [] : [{ name: kebab(id), event, from: `Events.${id} (${type})` }];
  });
  const url = properties['FunctionUrlConfig'];
  return url === undefined
    ? made
    : [
        ...made,
        {
          name: 'function-url',
          event: httpRequest({ method: 'GET', path: '$default' }),
          from: 'FunctionUrlConfig',
        },
      ];
}
