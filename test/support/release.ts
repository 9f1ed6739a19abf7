import type { Release } from '../../core/release/release.ts';

/** A release as handlers are given it, for tests of their decisions. */
export const release: Release = {
  id: '20261126t120000000z-abc',
  stackName: 'shop',
  source: { bucket: 'sources', key: 'shop.zip' },
  parameters: {},
  rollback: true,
  allowDataLoss: [],
  startedAt: '2026-11-26T12:00:00.000Z',
};
