/**
 * What is remembered of those who guess, and that copies of it are the same.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import * as fc from "fast-check"
import * as BanDecisions from "../../src/bans/BanDecisions.ts"
import * as ClientNetwork from "../../src/base/ClientNetwork.ts"
import * as Hmac from "../../src/base/Hmac.ts"
import * as Config from "../../src/server/Config.ts"
import { holds } from "../support/property.ts"

const addresses = ["203.0.113.1", "203.0.113.2", "2001:db8::1"].map((text) =>
  NetAddress.ipFromStringUnsafe(text)
)

const act = fc.record({
  what: fc.constantFrom("failed", "failed", "refused", "succeeded", "ban", "lift"),
  who: fc.nat({ max: 2 }),
  name: fc.nat({ max: 2 }),
  password: fc.nat({ max: 3 }),
  later: fc.nat({ max: 20_000 })
})

type Act = typeof act extends fc.Arbitrary<infer A> ? A : never

const config = { ...Config.defaults, banAfter: 5 }

const places = addresses.map((address) => {
  const [network = "", ...wider] = ClientNetwork.around(address).map(IpNetwork.format)
  return { network, wider, area: ClientNetwork.areaOf(address) }
})

const attempt = (who: number, name: number, now: number, password = 0) => ({
  ...places[who]!,
  ...{ account: `name ${name}`, guess: `guess ${who} ${name} ${password}`, now, window: 600_000 }
})

const perform = (decisions: BanDecisions.BanDecisions, { what, who, name, password }: Act, now: number) => {
  const address = addresses[who]!
  const network = ClientNetwork.of(address)
  if (what === "succeeded") decisions.succeeded(attempt(who, name, now, password))
  else if (what === "ban") decisions.ban({ network, until: now + 30_000, reason: "by hand", failures: 0 })
  else if (what === "lift") decisions.lift(network, now)
  else {
    const failed = decisions.failed(
      what as "failed" | "refused",
      address,
      attempt(who, name, now, password),
      config
    )
    Effect.runSync(Effect.provideService(failed, References.MinimumLogLevel, "None"))
  }
}

/** All that can be asked of it. */
const answers = (decisions: BanDecisions.BanDecisions, now: number) => ({
  bans: decisions
    .list(now)
    .map(({ network, until, failures }) => [IpNetwork.format(network), until, failures]),
  found: addresses.map((address) => decisions.find(address, now)?.until),
  tooSoon: addresses.map((_, who) => [0, 1, 2].map((name) => decisions.isTooSoon(attempt(who, name, now)))),
  welcome: addresses.map((_, who) =>
    [0, 1, 2].map((name) => [0, 1].map((password) => decisions.isExempt(attempt(who, name, now, password))))
  ),
  known: addresses.map((address) => decisions.hasKnown(address, now)),
  digest: decisions.digest(new Uint8Array([1])),
  suspects: decisions.suspects(now, 600_000).map(([network, { count, until }]) => [network, count, until])
})

/** Texts are compared first: to compare the objects takes longer than all else. */
const assertSame = (one: object, other: object) => {
  if (JSON.stringify(one) !== JSON.stringify(other)) assert.deepStrictEqual(one, other)
}

/** As it comes out of another process. */
const sent = (news: BanDecisions.Update): BanDecisions.Update => JSON.parse(JSON.stringify(news))

describe("BanDecisions", () => {
  it("are the same in a replica that follows, and in a replica made later", () => {
    holds(
      fc.property(fc.array(act, { maxLength: 60, size: "max" }), (acts) => {
        const copy = BanDecisions.make(Hmac.hashes)
        const start = BanDecisions.make(Hmac.hashes)
        start.restoreKnownPairs({
          key: Hmac.newKey(),
          known: [{ account: "name 1", network: "203.0.113.1/32", at: 0 }]
        })
        const original = BanDecisions.make(Hmac.hashes, (news) => copy.follow(sent(news)))
        original.restoreKnownPairs(start.knownPairs())
        let now = 1_000_000
        for (const each of acts) {
          perform(original, each, now)
          assertSame(answers(copy, now), answers(original, now))
          now += each.later
        }
        const late = BanDecisions.make(Hmac.hashes)
        for (const news of original.all()) late.follow(sent(news))
        const { bans, suspects, ...rest } = answers(original, now)
        const others = answers(late, now)
        assert.sameDeepMembers(others.bans, bans)
        assert.sameDeepMembers(others.suspects, suspects)
        assert.deepInclude(others, rest)
      })
    )
  })
})
