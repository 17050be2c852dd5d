/**
 * Messages between processes. Those of one turn of the event loop are sent together.
 */

/** Queues messages for `post`, which gets all messages of a turn at once. */
export const outgoing = <Message>(post: (batch: ReadonlyArray<Message>) => void) => {
  let batch: Array<Message> = []
  const flush = () => {
    const sent = batch
    batch = []
    post(sent)
  }
  return (message: Message): void => {
    if (batch.push(message) === 1) setImmediate(flush)
  }
}
