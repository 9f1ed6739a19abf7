import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseStored, storedAs } from '../../../core/release/stored.ts';

describe('what lies in the artifact bucket between two states', () => {
  const text = '{"says":"é"}';
  const stored = storedAs('releases/s/1/probes/0.json', text);
  const schema = z.object({ says: z.string() });

  it('is read by its key, its bytes and its hash', () => {
    expect(stored).toMatchObject({ key: 'releases/s/1/probes/0.json', bytes: 13 });
    expect(parseStored(stored, text, schema)).toEqual({ says: 'é' });
  });

  it('is refused where somebody has changed it', () => {
    expect(() => parseStored(stored, '{"says":"no"}', schema)).toThrow(
      expect.objectContaining({
        name: 'ArtifactChangedError',
        message: expect.stringMatching(/^releases\/s\/1\/probes\/0\.json .*written were 13 with/),
      }),
    );
  });
});
