/** A queue's reader: called after each message with the queue's token. */
export type QueueReader = (token: number) => void;

interface Queue {
  readonly messages: Uint8Array[];
  reader: QueueReader;
}

/** The queues all workers share. The last to register a queue is the one told of its messages. */
export class SharedQueues {
  readonly #tokens = new Map<string, number>();
  readonly #queues = new Map<number, Queue>();

  /** The token of the queue `name`, which is made if new. */
  register(name: string, reader: QueueReader): number {
    const token = this.#tokens.get(name) ?? this.#tokens.size + 1;
    this.#tokens.set(name, token);
    this.#queues.set(token, { messages: this.#queues.get(token)?.messages ?? [], reader });
    return token;
  }

  /** The token of the queue `name`, 0 if nobody registered it. */
  resolve(name: string): number {
    return this.#tokens.get(name) ?? 0;
  }

  /** False if there is no such queue. `deferred` gets the work of telling the reader. */
  enqueue(token: number, message: Uint8Array, deferred: (work: () => void) => void): boolean {
    const queue = this.#queues.get(token);
    if (!queue) return false;
    queue.messages.push(message);
    deferred(() => queue.reader(token));
    return true;
  }

  /** Puts a message into every queue there is and tells the readers. */
  enqueueToAll(message: Uint8Array): void {
    for (const token of [...this.#queues.keys()]) this.enqueue(token, message, (work) => work());
  }

  /** The oldest message, "empty", or undefined if there is no such queue. */
  dequeue(token: number): Uint8Array | "empty" | undefined {
    const queue = this.#queues.get(token);
    return queue && (queue.messages.shift() ?? "empty");
  }
}
