import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { indexEnvironment } from '../../../core/build/indexes.ts';
import { directOf, readRequirements } from '../../../core/build/requirements.ts';
import { type Files, writeProject } from '../../support/project.ts';

const read = async (files: Files, environment: NodeJS.ProcessEnv = {}) =>
  readRequirements(await writeProject(files), 'a/requirements.txt', environment);
const lines = async (text: string, more: Files = {}, environment: NodeJS.ProcessEnv = {}) =>
  (await read({ 'a/requirements.txt': text, ...more }, environment)).lines;

describe('a requirements file', () => {
  it('is read with comments, continuations, markers, hashes and included files', async () => {
    const text =
      '# top\r\nsix==1.16.0  # why\r\n-r ../b/more.txt\r\nrequests[socks]>=2,<3 ; python_version < "4"\r\npandas \\\r\n  ==2.0.3 --hash=sha256:abc \\\r\n  --hash sha256:def\r\nodd===1.0.post+x\r\n';
    expect(
      await lines(text, { 'b/more.txt': 'attrs\n--requirement=last.txt\n', 'b/last.txt': 'idna' }),
    ).toEqual([
      'six==1.16.0',
      'attrs',
      'idna',
      'requests[socks]>=2,<3 ; python_version < "4"',
      'pandas ==2.0.3 --hash=sha256:abc --hash=sha256:def',
      'odd===1.0.post+x',
    ]);
  });

  it('bounds what others ask for with -c', async () => {
    expect(
      await lines('-c bounds.txt\nsix\n-cmore/bounds.txt\n', {
        'a/bounds.txt': 'six<2\n-r others.txt\n',
        'a/others.txt': 'idna==3.6\n',
        'a/more/bounds.txt': 'attrs<24\n',
      }),
    ).toEqual(['-c six<2', '-c idna==3.6', 'six', '-c attrs<24']);
  });

  it.each([
    ['a byte order mark', Buffer.from('\ufeffsix==1.16.0\n')],
    ['UTF-16 of PowerShell', Buffer.from('\ufeffsix==1.16.0\r\n', 'utf16le')],
    ['UTF-16, the other way round', Buffer.from('\ufeffsix==1.16.0\n', 'utf16le').swap16()],
  ])('may begin with %s', async (_what, bytes) => {
    const root = await writeProject({ 'a/requirements.txt': '' });
    await writeFile(join(root, 'a/requirements.txt'), bytes);
    expect((await readRequirements(root, 'a/requirements.txt')).lines).toEqual(['six==1.16.0']);
  });

  it('may name the environment, as pip has it', async () => {
    // One that is not set stays as it is written, and so does what pip takes for no name.
    const text = 'six==${SIX}\nidna==${lower}\nx @ https://${HOST}/${GONE}.whl\n';
    expect(await lines(text, {}, { SIX: '1.16.0', lower: '1', HOST: 'there' })).toEqual([
      'six==1.16.0',
      'idna==${lower}',
      'x @ https://there/${GONE}.whl',
    ]);
  });

  it('may name addresses, git, and places in the project', async () => {
    const root = await writeProject({
      'a/requirements.txt':
        'x[more] @ https://there/x-1-py3-none-any.whl ; python_version > "3"\nhttps://there/y.tar.gz --hash=sha256:12\ngit+https://there/z@main#subdirectory=sub\n-e ../libs/own[fast]\n./w-1-py3-none-any.whl\nlibs/own\n',
      'libs/own/pyproject.toml': '',
      'a/w-1-py3-none-any.whl': 'zip',
    });
    const own = pathToFileURL(join(root, 'libs/own')).href;
    const wheel = pathToFileURL(join(root, 'a/w-1-py3-none-any.whl')).href;
    const { lines: all } = await readRequirements(root, 'a/requirements.txt');
    expect(all.map((line) => line.replace(/sha256:[0-9a-f]{64}$/, 'sha256:…'))).toEqual([
      'x[more] @ https://there/x-1-py3-none-any.whl ; python_version > "3"',
      'https://there/y.tar.gz --hash=sha256:12',
      'git+https://there/z@main#subdirectory=sub',
      `package[fast] @ ${own} --contents=sha256:…`,
      `${wheel} --contents=sha256:…`,
      `${own} --contents=sha256:…`,
    ]);
    const [x, y, , fast] = all.map(directOf);
    expect(x).toEqual({
      address: 'https://there/x-1-py3-none-any.whl',
      extras: '[more]',
      marker: ' ; python_version > "3"',
      hashes: [],
    });
    expect(y).toMatchObject({ address: 'https://there/y.tar.gz', hashes: ['sha256:12'] });
    expect(fast).toMatchObject({
      address: own,
      extras: '[fast]',
      contents: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    // What lies there is a part of what is asked for.
    await writeFile(join(root, 'libs/own/pyproject.toml'), '# changed');
    expect((await readRequirements(root, 'a/requirements.txt')).lines[3]).not.toBe(all[3]);
  });

  it('may say where packages come from, and what does not count here', async () => {
    const {
      indexes,
      remarks,
      lines: all,
    } = await read(
      {
        'a/requirements.txt':
          '--index-url https://${USER}:${TOKEN}@there/simple\n--extra-index-url=https://more/simple\n-f https://links/page\n--find-links ../wheels\n--trusted-host there\n--prefer-binary\n--pre\n--no-binary :all:\nsix --config-settings "a=b"\n',
        'wheels/readme': '',
      },
      { USER: 'me', TOKEN: 'secret' },
    );
    expect(indexes).toMatchObject({
      index: 'https://me:secret@there/simple',
      extra: ['https://more/simple'],
      links: ['https://links/page', expect.stringMatching(/\/wheels$/)],
    });
    expect(all).toEqual(['--pre', 'six']);
    expect(remarks).toEqual([
      'a/requirements.txt:8: --no-binary does not count; wheels are taken where there are some',
      'a/requirements.txt:9: options for the build of one package do not count',
    ]);
  });

  it.each([
    ['a path that leads nowhere', './x', /:1: there is no file or folder \.\/x/],
    ['a folder that is no package', '-e .', /:1: a has no pyproject\.toml and no setup\.py/],
    ['a path outside', '../../../x', /:1: .*outside the project/],
    ['a file outside', '-r ../../etc/passwd', /:1: -r .*outside the project/],
    ['itself', '-r requirements.txt', /includes itself/],
    ['a file that is not there', '-r none.txt', /a\/none\.txt: no such file/],
    [
      'no option of pip',
      '--frobnicate https://me:secret@there',
      /:1: "--frobnicate https:\/\/\*\*\*\*@there" is no option/,
    ],
    ['words', 'six and seven', /:1: "six and seven" is no requirement/],
  ])('is refused with %s', async (_what, line, problem) => {
    await expect(lines(`${line}\n`)).rejects.toThrow(problem);
  });
});

describe('indexes', () => {
  const own = { index: 'https://own', extra: ['https://more'], links: ['/wheels'] };
  it('of the project are where uv looks, all alike', () => {
    expect(indexEnvironment(own, { UV_INDEX: 'https://mine' })).toEqual({
      UV_DEFAULT_INDEX: 'https://own',
      UV_INDEX: 'https://more https://mine',
      UV_INDEX_STRATEGY: 'unsafe-best-match',
      UV_FIND_LINKS: '/wheels',
    });
  });
  it('of whoever runs the build come first', () => {
    expect(indexEnvironment(own, { UV_DEFAULT_INDEX: 'https://company' })).toEqual({});
  });
});
