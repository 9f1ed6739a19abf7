interface Command {
  constructor: { name: string };
  input: Record<string, unknown>;
}

/** A client of the SDK that asks nobody: `act` answers, by the name of the call. @returns what was asked, in order */
export function answering<Client extends { send: unknown }>(
  client: Client,
  act: (call: string, input: Record<string, unknown>) => unknown,
): { client: Client; asked: { call: string; input: Record<string, unknown> }[] } {
  const asked: { call: string; input: Record<string, unknown> }[] = [];
  client.send = async ({ constructor: { name }, input }: Command) => {
    const call = name.replace(/Command$/, '');
    asked.push({ call, input });
    return act(call, input);
  };
  return { client, asked };
}
