import { ownValue } from '../project/intrinsics.ts';
import { type PlannedFunction, UNKNOWN_VALUE } from './build-plan.ts';

/** Where a function's own code begins: its Handler, or what a wrapper of others is told to call. */

/** Module that Lambda imports for a Handler such as `src/app.handler`. */
export const handlerModule = (handler: string): string =>
  handler.slice(0, handler.lastIndexOf('.')).replaceAll('/', '.');

/**
 * Variables by which wrappers that come in a layer, and are the Handler there, learn the function's own: documentation of Datadog,
 * New Relic, Lumigo, Sentry, Epsagon, Thundra and OpenTelemetry.
 */
const WRAPPED = [
  'DD_LAMBDA_HANDLER',
  'NEW_RELIC_LAMBDA_HANDLER',
  'LUMIGO_ORIGINAL_HANDLER',
  'SENTRY_INITIAL_HANDLER',
  'EPSAGON_HANDLER',
  'THUNDRA_AGENT_LAMBDA_HANDLER',
  'ORIG_HANDLER',
];

/** How many layers of others a function uses that nobody here has looked into. Pure. */
export const unreadLayers = ({
  foreignLayers,
  layers,
  stack,
}: Pick<PlannedFunction, 'foreignLayers' | 'layers' | 'stack'>): number =>
  foreignLayers - (stack.length - layers.length);

type Fn = Pick<PlannedFunction, 'handler' | 'sources' | 'foreignLayers' | 'layers' | 'stack' | 'environment'>;

/** Whether a module is in the function's own code. */
const isOwn = (module: string, { sources }: Fn): boolean => {
  const path = module.replaceAll('.', '/');
  return sources.some(
    ({ to }) => to === `${path}.py` || to.startsWith(`${path}/`) || to.startsWith(`${path}.`),
  );
};

/** The Handler where its code is here; undefined where it is in a layer of others. Pure. */
export const ownHandler = (fn: Fn): string | undefined =>
  unreadLayers(fn) === 0 || isOwn(handlerModule(fn.handler), fn) ? fn.handler : undefined;

/** The modules in which the function's own code begins: of its Handler, or of the one that a wrapper is given. Pure. */
export function ownModules(fn: Fn): string[] {
  const handler = handlerModule(fn.handler);
  if (fn.foreignLayers === 0 || isOwn(handler, fn)) return [handler];
  const known = unreadLayers(fn) === 0 ? [handler] : [];
  const wrapped = WRAPPED.map((name) => ownValue(fn.environment, name)).find(
    (value) => value !== undefined && value !== UNKNOWN_VALUE && value.includes('.'),
  );
  const module = wrapped === undefined ? undefined : handlerModule(wrapped);
  return module !== undefined && isOwn(module, fn) ? [module, ...known] : known;
}
