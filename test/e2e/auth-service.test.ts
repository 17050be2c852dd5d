/**
 * A service that decides who comes in, asked over real HTTP: what it is told,
 * what it may answer, and that nobody comes in when it fails.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import * as Hashing from "../../src/auth/Hashing.ts"
import { clientAddress } from "../../src/testing/index.ts"
import { fromHex, utf8 } from "../support/bytes.ts"
import { fields } from "../support/errors.ts"
import { captured } from "../support/logs.ts"
import { credentials, greeting, request } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import { connect, echo } from "../support/sockets.ts"

interface Question {
  readonly method: string | undefined
  readonly authorization: string | undefined
  readonly body: unknown
}

type Answer = (response: ServerResponse, question: Question) => void

/** A service on loopback, which keeps what it was asked. `answers` are given in turn, the last one for good. */
const service = Effect.fnUntraced(function* (...answers: ReadonlyArray<Answer>) {
  const asked: Array<Question> = []
  const server = createServer(async (message: IncomingMessage, response) => {
    const chunks = await message.toArray()
    const { authorization } = message.headers
    const question = {
      method: message.method,
      authorization,
      body: JSON.parse(Buffer.concat(chunks).toString())
    }
    asked.push(question)
    answers[Math.min(asked.length, answers.length) - 1]!(response, question)
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/check` }
})

const status =
  (code: number, body = ""): Answer =>
  (response) =>
    response.writeHead(code).end(body)

const authenticator = (options: Parameters<typeof Authenticator.layerHttp>[0]) =>
  Layer.provide(Authenticator.layerHttp({ timeout: "10 seconds", ...options }), Hashing.layer)

const login = Effect.fnUntraced(function* (
  name: string | Uint8Array,
  password: string | Uint8Array = "hunter2"
) {
  const { verify } = yield* Authenticator
  const bytes = (text: string | Uint8Array) => (typeof text === "string" ? utf8(text) : text)
  return yield* Effect.match(verify({ username: bytes(name), password: bytes(password) }, clientAddress), {
    onSuccess: (identity): object => identity,
    onFailure: fields
  })
})

describe("an authentication service", () => {
  it.live("gets user, password and client, and returns groups and limits", () =>
    Effect.gen(function* () {
      const answer = { user: "Alice", groups: ["staff"], limits: { sessions: 5, upload: "1MiB" }, more: true }
      const { asked, url } = yield* service(status(200, JSON.stringify(answer)), status(200))
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(yield* login("alice"), {
          user: "Alice",
          groups: ["staff"],
          limits: { sessions: 5, upload: 2 ** 20 }
        })
        assert.deepStrictEqual(yield* login("böb"), { user: "böb" })
        const body = (user: string) => ({ user, password: "hunter2", client: "203.0.113.7" })
        const about = { method: "POST", authorization: "Bearer token" }
        assert.deepStrictEqual(asked, [
          { ...about, body: body("alice") },
          { ...about, body: body("böb") }
        ])
      }).pipe(Effect.provide(authenticator({ url, token: Redacted.make("token") })))
    })
  )

  it.live("refuses a user, and is asked again each time", () =>
    Effect.gen(function* () {
      const { asked, url } = yield* service(status(401), status(403))
      yield* Effect.gen(function* () {
        const refused = { _tag: "AuthenticationFailed", user: "alice", reason: "refused" }
        for (let time = 0; time < 3; time++) assert.deepStrictEqual(yield* login("alice"), refused)
        assert.lengthOf(asked, 3)
        // It is not asked about what it cannot be told.
        assert.deepInclude(yield* login(fromHex("61 ff")), { reason: "refused" })
        assert.deepInclude(yield* login("alice", fromHex("ff")), { reason: "refused" })
        assert.lengthOf(asked, 3)
      }).pipe(Effect.provide(authenticator({ url })))
    })
  )

  it.live("is not asked again about the same password while its answer holds", () =>
    Effect.gen(function* () {
      const { asked, url } = yield* service(status(200, '{"ttl":60}'), status(401))
      yield* Effect.gen(function* () {
        const all = yield* Effect.all(
          Array.from({ length: 20 }, () => login("alice")),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual([...all, yield* login("alice")], new Array(21).fill({ user: "alice" }))
        assert.lengthOf(asked, 1)
        assert.deepInclude(yield* login("alice", "guess"), { reason: "refused" })
        assert.deepInclude(yield* login("bob"), { reason: "refused" })
      }).pipe(Effect.provide(authenticator({ url })))
    })
  )

  for (const [what, answer, reason] of [
    ["a failure", status(500, "hunter2"), "status 500"],
    ["an answer that is no JSON", status(200, "<p>hunter2"), "the answer cannot be read"],
    ["limits that are none", status(200, '{"limits":{"sessions":0}}'), "the answer cannot be read"],
    ["a user that is no name", status(200, '{"user":5}'), "the answer cannot be read"],
    ["an answer without end", status(200, " ".repeat(70_000)), "the answer is too long"],
    [
      "a way to someone else",
      (response: ServerResponse) => response.writeHead(307, { location: "/other" }).end(),
      "no HTTP answer"
    ],
    ["silence", () => {}, "no answer in time"],
    ["a reset", (response: ServerResponse) => response.socket?.resetAndDestroy(), "ECONNRESET"]
  ] as const) {
    it.live(`lets no user in with ${what}, and the log has one error`, () =>
      Effect.gen(function* () {
        const { lines, layer } = captured()
        const { url } = yield* service(answer, answer, status(200))
        // Long enough for an answer on a busy machine, where there is one.
        const timeout = what === "silence" ? "1 second" : "10 seconds"
        yield* Effect.gen(function* () {
          const unavailable = { _tag: "AuthenticationUnavailable", reason }
          assert.deepStrictEqual(yield* login("alice"), unavailable)
          assert.deepStrictEqual(yield* login("alice"), unavailable)
          assert.deepStrictEqual(yield* login("alice"), { user: "alice" })
        }).pipe(Effect.provide(Layer.provideMerge(authenticator({ url, timeout }), layer)))
        assert.deepStrictEqual(lines, [
          {
            level: "Error",
            message: "the authentication service fails: logins are refused",
            fields: { reason }
          },
          { level: "Info", message: "the authentication service answers again", fields: {} }
        ])
      })
    )
  }

  it.live("lets no user in when it cannot be reached", () =>
    Effect.gen(function* () {
      const url = yield* Effect.scoped(Effect.map(service(status(200)), ({ url }) => url))
      assert.deepStrictEqual(yield* Effect.provide(login("alice"), authenticator({ url })), {
        _tag: "AuthenticationUnavailable",
        reason: "ECONNREFUSED"
      })
    })
  )

  it.live("gets a bounded number of requests at once, and a few more wait", () =>
    Effect.gen(function* () {
      let most = 0
      let now = 0
      const slow: Answer = (response) => {
        most = Math.max(most, ++now)
        setTimeout(() => {
          now--
          response.end()
        }, 20)
      }
      const { url } = yield* service(slow)
      const all = yield* Effect.all(
        Array.from({ length: 10 }, (_, index) => login(`user${index}`)),
        {
          concurrency: "unbounded"
        }
      ).pipe(Effect.provide(authenticator({ url, atOnce: 2 })))
      assert.strictEqual(most, 2)
      assert.lengthOf(
        all.filter((one) => "user" in one),
        6
      )
      // Whichever: the places are not for those who come first.
      const errors = all.filter((one) => !("user" in one))
      for (const error of errors) assert.deepInclude(error, { _tag: "TooManyLogins" })
    })
  )

  it.live("decides about users that are not listed, in the program", () =>
    Effect.gen(function* () {
      const decide: Answer = (response, { authorization, body }) => {
        const isRight = (body as { readonly password: string }).password === "open sesame"
        response.writeHead(isRight && authorization === "Bearer t0ken" ? 200 : 403).end()
      }
      const { asked, url } = yield* service(decide)
      const target = yield* echo()
      const flags = ["--user", "carol:hunter2", "--auth-url", url]
      const server = yield* Program.start(flags, { env: { SOCKS_AUTH_TOKEN: "t0ken" } })
      const answers = Effect.fnUntraced(function* (name: string, password: string) {
        const client = yield* connect(server.port)
        yield* client.send([
          ...greeting(0x02),
          ...credentials(name, password),
          ...request("127.0.0.1", target.port)
        ])
        return [...(yield* client.receive(6))]
      }, Effect.scoped)
      assert.deepStrictEqual(yield* answers("alice", "open sesame"), [5, 2, 1, 0, 5, 0])
      assert.deepStrictEqual(yield* answers("alice", "open barley"), [5, 2, 1, 1])
      assert.lengthOf(asked, 2)
      assert.deepStrictEqual(yield* answers("carol", "hunter2"), [5, 2, 1, 0, 5, 0])
      assert.deepStrictEqual(yield* answers("carol", "hunter3"), [5, 2, 1, 1])
      assert.lengthOf(asked, 2)
      yield* server.logged({ message: "authentication failed", user: "alice", reason: "refused" })
      yield* server.logged({ message: "authentication failed", user: "carol", reason: "wrong password" })
      const { stdout, stderr } = yield* server.stop
      assert.notMatch(stdout + stderr, /hunter|sesame|barley|t0ken/)
    })
  )
})
