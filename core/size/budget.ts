import { ProjectError } from '../errors.ts';
import { ownValue } from '../project/intrinsics.ts';
import type { Project } from '../project/project.ts';
import type { BuildPlan } from '../release/build-plan.ts';

const MB = 1_000_000;

/** Default budgets, unzipped, in bytes, but for the cold start. plimsoll.yaml can change each; those that it does not are no reason to fail. */
export const DEFAULT_BUDGETS = {
  layers: { 'core-data-science': 100 * MB, 'ml-libraries': 105 * MB, 'aws-utilities': 50 * MB } as Record<
    string,
    number
  >,
  function: 50 * MB,
  total: 200 * MB,
  /** In ms. */
  coldStart: 3000,
};

type Budgets = BuildPlan['budgets'];

function refuseUnknown(kind: string, named: Record<string, number>, known: readonly string[]): void {
  const unknown = Object.keys(named).find((name) => !known.includes(name));
  if (unknown)
    throw new ProjectError(
      `plimsoll.yaml: budgets.${kind}.${unknown}: the template has no such one; it has ${known.join(', ') || 'none'}`,
    );
}

/** The budgets that hold for a project: plimsoll.yaml over the defaults. @throws ProjectError naming an unknown key */
export function budgetsOf(project: Pick<Project, 'config' | 'functions' | 'layers'>): Budgets {
  const { budgets } = project.config;
  refuseUnknown(
    'layers',
    budgets.layers,
    project.layers.map(({ name }) => name),
  );
  refuseUnknown(
    'functions',
    budgets.functions,
    project.functions.map(({ logicalId }) => logicalId),
  );
  const byDefault = [
    ...Object.keys(DEFAULT_BUDGETS.layers)
      .filter((name) => !Object.hasOwn(budgets.layers, name))
      .map((name) => `layers.${name}`),
    ...project.functions
      .filter(({ logicalId }) => !Object.hasOwn(budgets.functions, logicalId))
      .map(({ logicalId }) => `functions.${logicalId}`),
    ...(budgets.total === undefined ? ['total'] : []),
    ...(budgets.coldStart === undefined ? ['coldStart'] : []),
  ];
  return {
    layers: { ...DEFAULT_BUDGETS.layers, ...budgets.layers },
    functions: Object.fromEntries(
      project.functions.map(({ logicalId }) => [
        logicalId,
        ownValue(budgets.functions, logicalId) ?? DEFAULT_BUDGETS.function,
      ]),
    ),
    total: budgets.total ?? DEFAULT_BUDGETS.total,
    coldStart: budgets.coldStart ?? DEFAULT_BUDGETS.coldStart,
    byDefault,
  };
}
