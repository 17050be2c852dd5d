/**
 * Messages between processes. Those of one turn of the event loop are sent together.
 */

/** Queues messages for `post`, which gets all messages of a turn at once, but each large message alone. */
export const outgoing = <Message>(
  post: (batch: ReadonlyArray<Message>) => void,
  isLarge: (message: Message) => boolean = () => false
) => {
  let batch: Array<Message> = []
  const flush = () => {
    const all = batch
    batch = []
    let together: Array<Message> = []
    for (const message of all) {
      if (!isLarge(message)) together.push(message)
      else {
        if (together.length > 0) post(together)
        post([message])
        together = []
      }
    }
    if (together.length > 0) post(together)
  }
  return (message: Message): void => {
    if (batch.push(message) === 1) setImmediate(flush)
  }
}
