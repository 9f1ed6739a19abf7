import {
  CreateRoleCommand,
  EntityAlreadyExistsException,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  InvokeCommand,
  type Runtime,
} from '@aws-sdk/client-lambda';
import { lambda } from './aws.ts';
import { writeZipWith } from './hostile-zip.ts';

const iam = new IAMClient();

export interface Allowed {
  Action: string | string[];
  Resource: string | string[];
}

/** A role that a service may take, with just these permissions. @returns its ARN */
export async function role(name: string, service: string, allowed: Allowed[] = []): Promise<string> {
  const trust = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' }],
  };
  await iam
    .send(new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument: JSON.stringify(trust) }))
    .catch((error: unknown) => {
      if (!(error instanceof EntityAlreadyExistsException)) throw error;
    });
  if (allowed.length > 0) {
    const policy = { Version: '2012-10-17', Statement: allowed.map((one) => ({ Effect: 'Allow', ...one })) };
    await iam.send(
      new PutRolePolicyCommand({
        RoleName: name,
        PolicyName: 'allowed',
        PolicyDocument: JSON.stringify(policy),
      }),
    );
  }
  return `arn:aws:iam::000000000000:role/${name}`;
}

/** Creates a function from one source file. */
export async function createFunction(
  name: string,
  runtime: Runtime,
  source: string,
  more: Partial<CreateFunctionCommandInput> = {},
): Promise<void> {
  const file = runtime.startsWith('python') ? 'app.py' : 'app.mjs';
  await lambda.send(
    new CreateFunctionCommand({
      FunctionName: name,
      Role: more.Role ?? (await role('test-function', 'lambda.amazonaws.com')),
      Runtime: runtime,
      Handler: 'app.handler',
      Code: { ZipFile: writeZipWith([{ name: file, text: source }]) },
      Timeout: 20,
      ...more,
    }),
  );
}

export async function invoke(
  name: string,
  event: object = {},
  qualifier?: string,
): Promise<{ failed: boolean; answer: unknown }> {
  const { FunctionError, Payload } = await lambda.send(
    new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event), Qualifier: qualifier }),
  );
  return { failed: FunctionError !== undefined, answer: JSON.parse(Payload?.transformToString() || 'null') };
}
