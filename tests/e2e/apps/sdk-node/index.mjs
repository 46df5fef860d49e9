// Calls another function with the JavaScript SDK v3, as it would on AWS: nothing says where Lambda is but the environment.

import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";

const client = new LambdaClient({});

export const handler = async (event, context) => {
  const Payload = JSON.stringify({ from: context.functionName });
  const answer = await client.send(new InvokeCommand({ FunctionName: event.function, Payload }));
  return { status: answer.StatusCode, answer: JSON.parse(answer.Payload.transformToString()) };
};
