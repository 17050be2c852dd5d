/**
 * Targets that do not answer, and clients that do not wait for them.
 *
 * @module-tag transport
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { blackHole } from "../support/black-hole.ts"
import { greeting, request } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import { ask, connect, type TcpPeer } from "../support/sockets.ts"
import { until } from "../support/until.ts"

layer(Program.layer(), { excludeTestServices: true })("A client that goes away during the dial", (it) => {
  const ways: Record<string, (client: TcpPeer) => Effect.Effect<void>> = {
    closes: (client) => client.end,
    resets: (client) => client.reset,
    "resets with payload sent ahead": (client) => Effect.andThen(client.send("early"), client.reset)
  }
  for (const [name, leave] of Object.entries(ways)) {
    it.effect(`ends dialling: ${name}`, () =>
      Effect.gen(function* () {
        const program = yield* Program.Program
        const port = yield* blackHole()
        const before = program.descriptors().length
        const client = yield* connect(program.port)
        const { localPort } = client.duplex
        yield* client.send([...greeting(0x00), ...request("127.0.0.1", port)])
        yield* until(() => program.descriptors().length === before + 2)
        yield* leave(client)
        const { outcome, duration } = yield* program.session(localPort!)
        assert.strictEqual(outcome, "ClientGone")
        // The dial alone would go on for 10 s.
        assert.isBelow(Number(duration), 5000)
        yield* until(() => program.descriptors().length === before)
      })
    )
  }
})

layer(Program.layer(["--connect-timeout", "500ms"]), { excludeTestServices: true })(
  "A target that does not answer",
  (it) => {
    it.effect("ends with 06 after the connect timeout", () =>
      Effect.gen(function* () {
        const program = yield* Program.Program
        const port = yield* blackHole()
        const before = program.descriptors().length
        const { client, code } = yield* ask(program.port, "127.0.0.1", port)
        assert.strictEqual(code, 0x06)
        yield* client.end
        const { duration } = yield* program.session(client.duplex.localPort!)
        assert.isAtLeast(Number(duration), 490)
        yield* until(() => program.descriptors().length === before)
      })
    )
  }
)
