/**
 * Failures that would tell a client what there is in a network: told alike, and
 * logged as they are.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Errors from "../../src/Errors.ts"
import { connect, failingDialer, failingResolver, layer, type Replacements } from "../../src/testing/index.ts"
import { message, receiveAll } from "../support/http.ts"
import { captured } from "../support/logs.ts"
import { greeting, request } from "../support/messages.ts"
import { settled } from "../support/streams.ts"

const asked = {
  socks: [...greeting(0x00), ...request("target.example", 80)],
  http: message(["GET http://target.example/ HTTP/1.1", "Host: target.example", "Connection: close"])
}

const name = "target.example"
const dialing = (error: Errors.DialError): Replacements => ({ dialer: failingDialer(error) })
const resolving = (error: Errors.ResolveError): Replacements => ({ resolver: failingResolver(error) })

/** Each with its code, the code it has when blurred, and the HTTP status then. */
const failures: ReadonlyArray<readonly [string, Replacements, number, number, number]> = [
  ["NetworkUnreachable", dialing(new Errors.NetworkUnreachable()), 0x03, 0x01, 502],
  ["HostUnreachable", dialing(new Errors.HostUnreachable()), 0x04, 0x01, 502],
  ["ConnectionRefused", dialing(new Errors.ConnectionRefused()), 0x05, 0x01, 502],
  ["ConnectTimeout", dialing(new Errors.ConnectTimeout()), 0x06, 0x01, 502],
  ["ConnectFailed", dialing(new Errors.ConnectFailed({ code: "EPROTO" })), 0x01, 0x01, 502],
  ["NameNotFound", resolving(new Errors.NameNotFound({ name })), 0x04, 0x01, 502],
  ["ResolutionFailed", resolving(new Errors.ResolutionFailed({ name, code: "ESERVFAIL" })), 0x04, 0x01, 502],
  ["ResolutionTimeout", resolving(new Errors.ResolutionTimeout({ name })), 0x04, 0x01, 502],
  ["NotAllowed", dialing(new Errors.NotAllowed({ reason: "no" })), 0x02, 0x02, 403],
  ["OutOfResources", dialing(new Errors.OutOfResources({ code: "EMFILE" })), 0x01, 0x01, 503]
]

const blurredPage = "effect-socks: connect failed\n"

describe("Connection, with failures blurred", () => {
  for (const [outcome, replacements, code, blurred, status] of failures) {
    for (const [blurFailures, expected] of [
      [false, code],
      [true, blurred]
    ] as const) {
      it.effect(`${outcome} is ${expected} with blurFailures ${blurFailures}`, () => {
        const logs = captured()
        return Effect.gen(function* () {
          const client = yield* connect
          yield* client.send(asked.socks)
          assert.strictEqual((yield* client.rest)[2 + 1], expected)
          yield* client.end
          yield* settled
          assert.include(logs.lines.at(-1)?.fields, { outcome, reply: expected })
        }).pipe(Effect.provide(Layer.merge(layer({ ...replacements, config: { blurFailures } }), logs.layer)))
      })
    }

    it.effect(`${outcome} is ${status} in HTTP`, () =>
      Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(asked.http)
        const answer = yield* receiveAll(client)
        assert.strictEqual(answer.status, status)
        if (status !== 502) return
        assert.strictEqual(answer.fields["proxy-status"], "effect-socks; error=destination_unavailable")
        assert.strictEqual(answer.body, blurredPage)
      }).pipe(Effect.provide(layer({ ...replacements, config: { blurFailures: true } })))
    )
  }
})
