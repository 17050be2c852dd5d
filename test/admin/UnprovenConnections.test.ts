/**
 * Connections whose client has not shown the token: which of them give way.
 */
import { EventEmitter } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import * as UnprovenConnections from "../../src/admin/UnprovenConnections.ts"

class Connection extends EventEmitter {
  readonly remotePort: number
  readonly remoteAddress = "203.0.113.7"
  isClosed = false

  constructor(remotePort: number) {
    super()
    this.remotePort = remotePort
  }

  destroy(): void {
    this.isClosed = true
    this.emit("close")
  }
}

const { most } = UnprovenConnections

describe("UnprovenConnections", () => {
  it("closes the oldest beyond the most, and none that has shown the token", () => {
    const unproven = UnprovenConnections.make()
    const all = Array.from({ length: most + 2 }, (_, port) => new Connection(port))
    for (const one of all.slice(0, most)) unproven.add(one)
    // As the TLS of the same connection.
    unproven.prove(new Connection(0))
    all[2]!.destroy()
    for (const one of all.slice(most)) unproven.add(one)
    assert.isFalse(all[1]!.isClosed)
    unproven.add(new Connection(70_000))
    assert.deepStrictEqual(
      all.filter(({ isClosed }) => isClosed).map(({ remotePort }) => remotePort),
      [1, 2]
    )
  })

  it("leaves connections of the file system alone", () => {
    const unproven = UnprovenConnections.make()
    const all = Array.from({ length: most + 1 }, (_, port) =>
      Object.assign(new Connection(port), { remoteAddress: undefined })
    )
    for (const one of all) unproven.add(one)
    assert.isFalse(all.some(({ isClosed }) => isClosed))
  })
})
