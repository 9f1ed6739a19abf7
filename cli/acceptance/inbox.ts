import { SubscribeCommand } from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
} from '@aws-sdk/client-sqs';
import { z } from 'zod';
import type { Clients } from './clients.ts';
import { inboxOf } from './name.ts';

/** What an e-mail of the topic would say. */
export interface Mail {
  subject: string;
  message: string;
}

/** A notification of SNS as a queue receives it (SNS developer guide, "Fanout to Amazon SQS queues"). */
const notificationSchema = z.object({ Subject: z.string().nullish(), Message: z.string() });

/** A queue that is subscribed to the topic as an e-mail address would be, and receives the same. */
export class Inbox {
  private readonly mails: Mail[] = [];

  private constructor(
    private readonly clients: Clients,
    private readonly QueueUrl: string,
  ) {}

  static async open(clients: Clients, name: string, topicArn: string): Promise<Inbox> {
    const { sqs, sns } = clients;
    const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: inboxOf(name) }));
    const { Attributes = {} } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }),
    );
    const Endpoint = Attributes['QueueArn'] ?? '';
    const policy = {
      Version: '2012-10-17',
      Statement: {
        Effect: 'Allow',
        Principal: { Service: 'sns.amazonaws.com' },
        Action: 'sqs:SendMessage',
        Resource: Endpoint,
        Condition: { ArnEquals: { 'aws:SourceArn': topicArn } },
      },
    };
    await sqs.send(
      new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy: JSON.stringify(policy) } }),
    );
    await sns.send(new SubscribeCommand({ TopicArn: topicArn, Protocol: 'sqs', Endpoint }));
    return new Inbox(clients, QueueUrl);
  }

  /** Waits for a mail. @param seconds at most @returns undefined where none has come */
  async receive(isIt: (mail: Mail) => boolean, seconds: number): Promise<Mail | undefined> {
    const until = Date.now() + seconds * 1000;
    for (;;) {
      const found = this.mails.find(isIt);
      if (found || Date.now() > until) return found;
      await this.poll();
    }
  }

  private async poll(): Promise<void> {
    const { sqs } = this.clients;
    const { QueueUrl } = this;
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 2 }),
    );
    for (const { Body = '', ReceiptHandle } of Messages) {
      const { Subject, Message } = notificationSchema.parse(JSON.parse(Body));
      this.mails.push({ subject: Subject ?? '', message: Message });
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
  }
}
