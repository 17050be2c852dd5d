/**
 * Which sessions would still be let in.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Authenticator, Identity } from "../../src/auth/Authenticator.ts"
import { AuthSettings } from "../../src/auth/Settings.ts"
import { CertificateRefused } from "../../src/Errors.ts"
import * as Client from "../../src/network/Client.ts"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import * as Revalidation from "../../src/session/Revalidation.ts"
import * as Session from "../../src/session/Session.ts"
import type { Accepted } from "../../src/session/States.ts"
import { clientAddress, pair, serverAddress } from "../../src/testing/index.ts"
import { targetOf } from "../support/rules.ts"
import { admitted, identityOf } from "../support/sessions.ts"

const peer = { remote: clientAddress, local: serverAddress }

const session = (identity: Identity, isCertified = false) =>
  Object.assign(Session.make(1, 0, peer, { host: "203.0.113.7" } as Session.Session["origin"]), {
    accepted: acceptedAs(isCertified ? identityOf(identity) : undefined),
    admitted: admitted(identity, "CONNECT", targetOf("192.0.2.1:80"))
  })

/** A connection of which the client is not looked at. */
const acceptedAs = (certified: Accepted["certified"]): Accepted => ({
  client: Client.make(NodeTransport.make(pair()[0])),
  peer,
  certified,
  isTrusted: false
})

/** Whether a session stands where staff and the boss may go everywhere, and this is known of its user. */
const stands = (
  known: Session.Session,
  recognize: Authenticator["Service"]["recognize"],
  settings: Partial<AuthSettings["Service"]> = {}
) =>
  Revalidation.revalidate(known, {
    auth: { ...AuthSettings.defaults, ...settings },
    authenticator: { methods: [], verify: () => Effect.die("asked"), ...(recognize && { recognize }) },
    policy: {
      judge: ({ identity: { user, groups = [] } }) =>
        Effect.succeed({
          verdict: user === "boss" || groups.includes("staff") ? "allow" : "deny",
          rule: "us"
        })
    }
  })

const alice = { user: "alice", groups: ["staff"] }
const authUrl = "https://auth.example/"
const barred = () => Effect.fail(new CertificateRefused({ user: "alice", reason: "expired" }))
const known = (identity: Identity | undefined) => () => Effect.succeed(identity)

describe("a session", () => {
  it.effect("stays allowed as long as its user can log in, with the present groups", () =>
    Effect.gen(function* () {
      assert.isTrue(yield* stands(session(alice), known(alice)))
      assert.isTrue(yield* stands(session({ user: "alice" }), known(alice)))
      assert.isFalse(yield* stands(session(alice), known({ user: "alice" })))
      assert.isFalse(yield* stands(session(alice), known(undefined)))
      assert.isFalse(yield* stands(session(alice), barred))
      assert.isTrue(yield* stands(session(alice), undefined))
    })
  )

  it.effect("of a user of the authentication service ends only if the user is listed and refused", () =>
    Effect.gen(function* () {
      assert.isTrue(yield* stands(session(alice), known(undefined), { authUrl }))
      assert.isFalse(yield* stands(session(alice), known({ user: "alice" }), { authUrl }))
      assert.isFalse(yield* stands(session(alice), barred, { authUrl }))
    })
  )

  it.effect("has the present settings of its user", () =>
    Effect.gen(function* () {
      const now = { user: "alice", groups: ["staff", "guests"] }
      const asking = session(alice)
      yield* stands(asking, known(now))
      assert.deepStrictEqual<unknown>(
        [asking.admitted?.identity, asking.accepted?.certified],
        [now, undefined]
      )
      const between = { ...session(alice, true), admitted: undefined }
      assert.isTrue(yield* stands(between, known(now)))
      assert.deepStrictEqual<unknown>([between.admitted, between.accepted.certified], [undefined, now])
      assert.isFalse(yield* stands(between, barred))
      const unknown = { ...session(alice), admitted: undefined }
      assert.isTrue(yield* stands(unknown, barred))
    })
  )

  it.effect("by a certificate needs no user of its name, and then has no groups", () =>
    Effect.gen(function* () {
      assert.isFalse(yield* stands(session(alice, true), known(undefined)))
      assert.isFalse(yield* stands(session(alice, true), barred))
      assert.isTrue(yield* stands(session(alice, true), known(alice)))
      assert.isTrue(yield* stands(session({ user: "boss" }, true), known(undefined)))
      assert.isFalse(yield* stands(session({ user: "boss" }), known(undefined)))
    })
  )
})
