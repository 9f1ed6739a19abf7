import { describe, expect, it } from 'vitest';
import { componentOf, npmComponentOf, parseMetadata } from '../../../core/build/sbom.ts';

describe('the bill of materials', () => {
  it.each([
    [
      'an SPDX expression',
      'Name: A_b.C\nVersion: 1.0+local\nLicense-Expression: MIT OR Apache-2.0\nLicense: old',
      [{ expression: 'MIT OR Apache-2.0' }],
    ],
    [
      'classifiers',
      'Name: a\nVersion: 1\nLicense: long text\nClassifier: License :: OSI Approved :: BSD License\nClassifier: Topic :: X',
      [{ license: { name: 'BSD License' } }],
    ],
    ['a name', 'Name: a\nVersion: 1\nLicense: MIT', [{ license: { name: 'MIT' } }]],
    [
      'a whole licence text',
      `Name: a\nVersion: 1\nLicense: Copyright\n        ${'x'.repeat(500)}`,
      [{ license: { name: `Copyright ${'x'.repeat(90)}` } }],
    ],
    ['none', 'Name: a\nVersion: 1\nLicense: UNKNOWN', undefined],
  ])('takes the licence from %s', (_what, text, licenses) => {
    expect(componentOf(text)?.licenses).toEqual(licenses);
  });

  it('names each distribution by its package URL', () => {
    expect(componentOf('Name: A_b.C\nVersion: 1.0+local')).toMatchObject({
      name: 'A_b.C',
      version: '1.0+local',
      purl: 'pkg:pypi/a-b-c@1.0%2Blocal',
    });
    expect(componentOf('Summary: nothing')).toBeUndefined();
  });

  it.each([
    [
      '{"name":"@a/b","version":"1.0.0","license":"MIT OR Apache-2.0"}',
      { purl: 'pkg:npm/%40a/b@1.0.0', licenses: [{ expression: 'MIT OR Apache-2.0' }] },
    ],
    [
      '{"name":"c","version":"2","license":"SEE LICENSE IN x"}',
      { purl: 'pkg:npm/c@2', licenses: [{ license: { name: 'SEE LICENSE IN x' } }] },
    ],
    ['{"name":"d","version":"3","license":{"type":"MIT"}}', { purl: 'pkg:npm/d@3' }],
  ])('names an npm package, too: %s', (text, component) => {
    expect(npmComponentOf(text)).toMatchObject(component);
  });

  it.each(['{', '[]', '{"type":"module"}'])('passes over a package.json that describes none: %s', (text) => {
    expect(npmComponentOf(text)).toBeUndefined();
  });

  it('reads the head of METADATA only', () => {
    expect(parseMetadata('Name: a\nSummary: one\n  two\n\nVersion: in the description')).toEqual([
      ['name', 'a'],
      ['summary', 'one two'],
    ]);
  });
});
