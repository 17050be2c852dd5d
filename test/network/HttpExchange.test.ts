import { assert, describe, it } from "@effect/vitest"
import { HttpExchange } from "../../src/network/HttpExchange.ts"
import type { HttpInput } from "../../src/network/HttpInput.ts"
import { HttpOutput } from "../../src/network/HttpOutput.ts"
import type { Transport } from "../../src/network/Transport.ts"
import * as HttpFraming from "../../src/wire/HttpFraming.ts"

describe("HttpExchange", () => {
  it("is reset behind what was written in the same turn", () => {
    const calls: Array<string> = []
    const transport = {
      isWritable: true,
      isFull: false,
      write: (bytes: Uint8Array) => void calls.push(Buffer.from(bytes).toString()),
      reset: () => void calls.push("reset")
    } as unknown as Transport
    const channel = {
      transport,
      input: {} as HttpInput,
      output: new HttpOutput(transport, () => {}),
      pinned: undefined
    }
    const head = { method: "GET", target: "http://a/", version: "1.1", fields: [] } as const
    const exchange = new HttpExchange(head, HttpFraming.none, channel, {} as never, undefined)
    exchange.respond({ status: 200, reason: "OK", version: "1.1", fields: [] }, [["Date", "now"]], {
      _tag: "Length",
      length: 50
    })
    channel.output.body([Buffer.from("hello")])
    exchange.reset()
    assert.deepStrictEqual(calls, [
      "HTTP/1.1 200 OK\r\nDate: now\r\nConnection: keep-alive\r\n\r\nhello",
      "reset"
    ])
  })
})
