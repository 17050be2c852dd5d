/**
 * Rules with limits over real sockets: connections and datagrams count together.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { datagram, greeting, request } from "../support/messages.ts"
import { read } from "../support/rules.ts"
import { proxy, server } from "../support/servers.ts"
import * as Tcp from "../support/tcp.ts"
import { associate, echo, open } from "../support/udp.ts"

/** The server's reply to a request for a connection there. */
const connecting = Effect.fnUntraced(function* (port: number) {
  const client = yield* Tcp.connect(yield* proxy())
  yield* client.send([...greeting(0x00), ...request("127.0.0.1", port)])
  return { client, code: (yield* client.receive(12))[3] }
})

/** An association that has sent twice to each of these ports, and those that answered before the last did so twice. */
const sending = Effect.fnUntraced(function* (...ports: ReadonlyArray<number>) {
  const association = yield* associate(yield* proxy())
  const client = yield* open()
  const answered: Array<number> = []
  for (const _ of [1, 2]) {
    for (const port of ports) yield* client.send(datagram("127.0.0.1", port, [1]), association.port)
    do {
      const { bytes } = yield* client.receive
      answered.push((bytes.at(-3)! << 8) | bytes.at(-2)!)
    } while (answered.at(-1) !== ports.at(-1))
  }
  return { ...association, answered }
})

describe("A rule with limits", () => {
  it.live("counts an association as one session while it allows its datagrams", () =>
    Effect.gen(function* () {
      const [limited, target, free] = [yield* echo(), yield* Tcp.target, yield* echo()]
      const rules = read(
        {
          name: "limited",
          allow: true,
          to: [`127.0.0.1:${limited.port}`, `127.0.0.1:${target.port}`],
          limits: { sessions: 1 }
        },
        { allow: true }
      )
      yield* Effect.gen(function* () {
        const first = yield* sending(limited.port, free.port)
        assert.include(first.answered, limited.port)
        assert.strictEqual((yield* connecting(target.port)).code, 0x02)
        assert.notInclude((yield* sending(limited.port, free.port)).answered, limited.port)

        yield* first.control.end
        let connection = yield* connecting(target.port)
        while (connection.code !== 0x00) connection = yield* connecting(target.port)
        assert.notInclude((yield* sending(limited.port, free.port)).answered, limited.port)

        yield* connection.client.end
        yield* (yield* target.accept).end
        const isLetIn = Effect.map(Effect.scoped(sending(limited.port, free.port)), ({ answered }) =>
          answered.includes(limited.port)
        )
        while (!(yield* isLetIn)) yield* Effect.yieldNow
      }).pipe(Effect.provide(server({ rules })))
    })
  )
})
