/**
 * A worker's part in what all of them count together.
 */
import type { Counting } from "../server/Counting.ts"
import * as Ids from "./Ids.ts"
import type { Link } from "./Link.ts"

export const make = ({ welcome, send, onOther }: Link): Counting => {
  const ids = Ids.make(welcome.ids, () => send({ _tag: "ids" }))
  onOther((message) => {
    switch (message._tag) {
      case "ids":
        return ids.add(message.ids)
    }
  })
  return { nextId: ids.next }
}
