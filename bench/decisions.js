/**
 * What a decision costs, by how many rules there are and of which kind.
 *
 *     npm run build && node bench/decisions.js
 *
 * Every figure is the best of several rounds, in microseconds, of decisions for
 * clients and targets of which some meet a rule and some meet none.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as TargetPattern from "../dist/config/TargetPattern.js"
import * as Ruleset from "../dist/policy/Ruleset.js"

const counts = [10, 1_000, 100_000]
const asks = 5_000
const rounds = 9

const pattern = (text) => Option.getOrThrow(TargetPattern.fromString(text))

// Spread over all there is, and the same in every run.
const spread = (i) => Math.imul(i + 1, 0x9e3779b1) >>> 0
const name = (i) => `host${i}.zone${spread(i) % 1000}.example`
const network = (i) => {
  const bits = spread(i) & 0xffffff00
  return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.0/24`
}
const inside = (i) => NetAddress.ipFromStringUnsafe(network(i).replace("0/24", String(i % 256)))
const list = (count, f) => Array.from({ length: count }, (_, i) => f(i))
const verdict = (i) => (i % 2 === 0 ? { allow: true } : { deny: "no" })

/** What the i-th asks for; from `count` on there is no rule for it. */
const toName = (i) => ({ target: { host: name(i), port: 443 }, address: inside(i) })
const toAddress = (i) => ({ target: { host: inside(i), port: 443 }, address: inside(i) })

const kinds = {
  "a name each": {
    rules: (count) => list(count, (i) => ({ ...verdict(i), to: [pattern(name(i))] })),
    ask: toName
  },
  "a *.suffix each": {
    rules: (count) => list(count, (i) => ({ ...verdict(i), to: [pattern(`*.${name(i)}`)] })),
    ask: (i) => ({ target: { host: `www.${name(i)}`, port: 443 }, address: inside(i) })
  },
  "a network each": {
    rules: (count) => list(count, (i) => ({ ...verdict(i), to: [pattern(network(i))] })),
    ask: toAddress
  },
  "a network each, name unresolved": {
    rules: (count) => list(count, (i) => ({ ...verdict(i), to: [pattern(network(i))] })),
    ask: (i) => ({ ...toName(i), address: undefined })
  },
  "denied networks, then names, unresolved": {
    rules: (count) => [
      ...list(count - 1, (i) => ({ deny: true, to: [pattern(network(i))], ports: [[25, 25]] })),
      { allow: true, to: [pattern("*.example")] }
    ],
    ask: (i) => ({ ...toName(i), address: undefined })
  },
  "a user each": {
    rules: (count) => list(count, (i) => ({ allow: true, users: [`user${i}`], to: [pattern("*.example")] })),
    ask: (i) => ({ ...toName(i), user: `user${i}` })
  },
  "one rule of names": {
    rules: (count) => [{ allow: true, to: list(count, (i) => pattern(name(i))) }],
    ask: toName
  },
  "one rule of names, for a user": {
    rules: (count) => [
      { allow: true, users: ["alice"], to: list(count, (i) => pattern(name(i))) },
      { allow: true, to: [pattern("host1.example")] }
    ],
    ask: (i) => ({ ...toName(i), user: "alice" })
  },
  mixed: {
    rules: (count) =>
      list(count, (i) => {
        const conditions = [
          { to: [pattern(name(i))] },
          { to: [pattern(network(i))], ports: [[443, 443]] },
          { users: [`user${i}`] },
          { groups: [`group${i % 50}`], to: [pattern(`*.${name(i)}`)], commands: ["connect"] }
        ]
        return { ...verdict(i), ...conditions[i % 4] }
      }),
    ask: (i) => ({ ...toName(i), user: `user${i}`, groups: [`group${i % 50}`] })
  }
}

const measure = ({ rules, ask }, count) => {
  const written = rules(count)
  const start = performance.now()
  const { judge } = Ruleset.make(written)
  const compiled = performance.now() - start
  const accesses = list(asks, (i) => {
    const { user, groups = [], target, address } = ask(spread(i) % (count * 2))
    const identity = { user, groups }
    const client = NetAddress.ipv4Loopback
    return {
      access: {
        identity,
        client,
        listener: "127.0.0.1:1080",
        protocol: "SOCKS5",
        command: "CONNECT",
        target
      },
      address
    }
  })
  const times = list(rounds, () => {
    const start = performance.now()
    for (const { access, address } of accesses) judge(access, address, 1_790_000_000_000)
    return ((performance.now() - start) * 1000) / asks
  })
  return { decision: Math.min(...times), compiled }
}

console.log(
  ["rules".padEnd(42), ...counts.map((count) => String(count).padStart(10)), "   ready in"].join("")
)
for (const [kind, made] of Object.entries(kinds)) {
  const figures = counts.map((count) => measure(made, count))
  const cells = figures.map(({ decision }) => `${decision.toFixed(2)} us`.padStart(10))
  console.log([kind.padEnd(42), ...cells, `${figures.at(-1).compiled.toFixed(0)} ms`.padStart(11)].join(""))
}
