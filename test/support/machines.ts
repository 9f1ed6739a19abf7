import { CreateStateMachineCommand, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { sfn } from './aws.ts';
import { role } from './functions.ts';

/** Creates a JSONata state machine. @returns its ARN */
export async function createMachine(name: string, startAt: string, states: object): Promise<string> {
  const { stateMachineArn = '' } = await sfn.send(
    new CreateStateMachineCommand({
      name,
      roleArn: await role('test-machine', 'states.amazonaws.com'),
      definition: JSON.stringify({ QueryLanguage: 'JSONata', StartAt: startAt, States: states }),
    }),
  );
  return stateMachineArn;
}

export async function execute(stateMachineArn: string, input: object = {}): Promise<string> {
  const { executionArn = '' } = await sfn.send(
    new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(input) }),
  );
  return executionArn;
}
