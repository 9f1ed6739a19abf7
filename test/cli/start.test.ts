import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { plimsollIn } from '../support/command.ts';
import { BASE, changed, type Files, writeProject } from '../support/project.ts';

const APP = BASE['functions/hello/app.py'] ?? '';
const TEMPLATE = BASE['template.yaml'] ?? '';
const app = (text: string): Files => ({ 'functions/hello/app.py': text });
const handlerIs = (name: string): Files =>
  changed('template.yaml', 'Handler: app.handler', `Handler: ${name}`);

async function build(files: Files, ...args: string[]) {
  const project = await writeProject({ ...BASE, ...files });
  try {
    return await plimsollIn(project, 'build', ...args);
  } finally {
    await rm(project, { recursive: true, force: true });
  }
}

const ARM: Files = {
  'template.yaml': TEMPLATE.replace(
    '      Timeout: 10\n',
    '      Timeout: 10\n      Architectures: [arm64]\n',
  ),
};
const NO_EVENTS: Files = { 'functions/hello/smoke/you.json': undefined };

describe('plimsoll build of a function that Lambda could not start', () => {
  it.each<[string, Files, RegExp]>([
    ['a syntax error', app(`${APP}\ndef broken(:\n`), /app\.py does not compile: .*line \d+/],
    ['a syntax error, for another processor', { ...app('import (\n'), ...ARM }, /app\.py does not compile/],
    ['NUL in its source', app(`${APP}\0`), /app\.py does not compile: .*null bytes/],
    [
      'an exit at import',
      app(`import sys\nsys.exit(0)\n${APP}`),
      /import app: SystemExit: 0 \(app\.py, line 2\)/,
    ],
    [
      'endless recursion at import',
      app(`def again():\n    again()\n\n\nagain()\n${APP}`),
      /import app: RecursionError: .*\. Lambda could not start the function either\. Correct/,
    ],
    [
      'a hard exit at import',
      app(`import os\nos._exit(0)\n${APP}`),
      /import app: the interpreter ended with code 0\. Lambda/,
    ],
    [
      'no function of that name',
      handlerIs('app.main'),
      /handler app\.main: HandlerError: module app has no "main"/,
    ],
    ['a handler that is no function', handlerIs('app.json'), /app\.json is a module, which cannot be called/],
    ['an async handler', app(APP.replace('def handler', 'async def handler')), /app\.handler is async/],
    ['no module of that name', handlerIs('other.handler'), /No module named 'other'/],
  ])('fails: %s', async (_what, files, words) => {
    const { code, stderr } = await build({ ...files, ...NO_EVENTS });
    expect(stderr).toMatch(words);
    expect(stderr).toContain('function Hello');
    expect(stderr).not.toMatch(/^ +at /m);
    expect(code).toBe(1);
  });

  it('fails in the mode rules, too, and with smoke events', async () => {
    expect(await build(handlerIs('app.main'), '--mode', 'rules')).toMatchObject({ code: 1 });
    expect(await build(app('import sys\nsys.exit()\n'))).toMatchObject({ code: 1 });
  });

  it('fails before anything else where the handler names no module', async () => {
    const { code, stderr } = await build(handlerIs('handler'));
    expect(code).toBe(2);
    expect(stderr).toContain('Resources.Hello.Properties.Handler: "handler" names no function of a module');
  });
});

describe('plimsoll build says and goes on', () => {
  it.each<[string, Files, RegExp]>([
    [
      'a value that is missing here',
      app(`import os\nos.environ["TABLE"]\n${APP}`),
      /^Note: app .*KeyError: 'TABLE'/m,
    ],
    [
      'an exit that may follow from a value that only the deployment knows',
      {
        ...app(`import os, sys\nos.environ["GREETING"].startswith("known-after") and sys.exit(1)\n${APP}`),
        'template.yaml': TEMPLATE.replace('GREETING: !Ref Greeting', 'GREETING: !GetAtt UtilsLayer.Arn'),
      },
      /^Note: app .*SystemExit: 1/m,
    ],
    [
      'a smoke event that fails',
      app(APP.replace('    name =', '    raise ValueError("no account")\n    name =')),
      /^Not traced: .*event you.*ValueError/m,
    ],
    [
      'a handler in a package',
      {
        ...handlerIs('pkg/mod.handler'),
        'functions/hello/app.py': undefined,
        'functions/hello/pkg/__init__.py': '',
        'functions/hello/pkg/mod.py': APP,
      },
      /^Built in/m,
    ],
    [
      'a class as handler',
      {
        ...handlerIs('app.Handler'),
        ...app(
          `${APP}\nclass Handler(dict):\n    def __init__(self, event, context): super().__init__(statusCode=200)\n`,
        ),
      },
      /^Built in/m,
    ],
    [
      'a file that does not compile, and that nobody imports',
      { 'functions/hello/template.py': '{{ name }} = (\n' },
      /^Built in/m,
    ],
  ])('%s', async (_what, files, words) => {
    const { code, stdout, stderr } = await build(files);
    expect(stdout, stderr).toMatch(words);
    expect(code).toBe(0);
  });
});
