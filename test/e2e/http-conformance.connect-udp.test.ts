/**
 * What clients of CONNECT-UDP get, by HTTP/1.1 and by HTTP/2 (RFC 9298): from a target that sends each datagram back. No
 * other proxy of Debian has it.
 *
 * @module-tag transport
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Capsule from "../../src/wire/Capsule.ts"

import * as Masque from "../support/masque.ts"
import * as Program from "../support/program.ts"
import { echo } from "../support/udp.ts"

interface Row extends Masque.Scenario {
  readonly name: string
  readonly found: string
  /** By HTTP/2, if that is something else; null if HTTP/2 cannot say this. */
  readonly http2?: string | null
  /** The part of RFC 9298 or RFC 9297, where it asks for this. */
  readonly because?: string
}

const datagram = (text: string) => Capsule.datagram(Buffer.from(text, "latin1"))
const well = "/.well-known/masque/udp"

/** A capsule of this type, in as many bytes as its first two bits say. */
const capsule = (type: ReadonlyArray<number>, value: ReadonlyArray<number>) =>
  Uint8Array.of(...type, value.length, ...value)

const bytes = (...all: ReadonlyArray<Uint8Array>) => Buffer.concat(all)

const rows: ReadonlyArray<Row> = [
  { name: "a datagram", sends: [datagram("one")], found: "granted, one, open" },
  { name: "an empty datagram", sends: [datagram("")], found: "granted, , open" },
  {
    name: "several datagrams at once",
    sends: [bytes(datagram("one"), datagram("two"), datagram("three"))],
    found: "granted, one, two, three, open"
  },
  {
    name: "a datagram byte by byte",
    sends: Array.from(datagram("one"), (byte) => Uint8Array.of(byte)),
    found: "granted, one, open"
  },
  {
    name: "a datagram of 60,000 bytes",
    sends: [Capsule.datagram(new Uint8Array(60_000))],
    found: "granted, 60000 bytes, open"
  },
  {
    name: "a datagram that the network does not take",
    sends: [bytes(Capsule.datagram(new Uint8Array(65_527)), datagram("next"))],
    found: "granted, next, open",
    because: "RFC 9298 \u00a75: such a datagram is dropped"
  },
  {
    name: "a datagram longer than any of UDP",
    sends: [Uint8Array.of(0, 0x80, 1, 0, 8)],
    found: "granted, reset",
    because: "RFC 9298 \u00a75: the stream is aborted"
  },
  {
    name: "capsules of other types",
    sends: [bytes(capsule([1], [1, 2, 3]), capsule([0xc0, 0, 0, 0, 0, 0, 1, 0], []), datagram("one"))],
    found: "granted, one, open",
    because: "RFC 9297 \u00a73.2: they are skipped"
  },
  {
    name: "datagrams of other contexts",
    sends: [bytes(capsule([0], [2, 9, 9]), capsule([0], []), datagram("one"))],
    found: "granted, one, open",
    because: "RFC 9298 \u00a74: they are dropped"
  },
  {
    name: "lengths in more bytes than needed",
    sends: [Uint8Array.of(0x40, 0, 0x80, 0, 0, 4, 0, 111, 110, 101)],
    found: "granted, one, open"
  },
  {
    name: "datagrams ahead of the response",
    sends: [datagram("one")],
    isHasty: true,
    found: "granted, one, open"
  },
  { name: "an end", ends: true, found: "granted, end" },
  {
    name: "an end in the middle of a capsule",
    sends: [Uint8Array.of(0, 9, 0)],
    ends: true,
    found: "granted, reset",
    because: "RFC 9297 \u00a73.3: the message is malformed"
  },
  { name: "a name", path: `${well}/localhost/PORT/`, sends: [datagram("one")], found: "granted, one, open" },
  {
    name: "a path without a slash",
    path: `${well}/127.0.0.1/PORT`,
    sends: [datagram("one")],
    found: "granted, one, open"
  },
  {
    name: "a path in escapes",
    path: `${well}/%31%32%37.0.0.1/PORT/`,
    sends: [datagram("one")],
    found: "granted, one, open"
  },
  { name: "an address in brackets", path: `${well}/[::1]/PORT/`, found: "400" },
  { name: "an IPv4 address as a number", path: `${well}/2130706433/PORT/`, found: "400" },
  { name: "port 0", path: `${well}/127.0.0.1/0/`, found: "400" },
  { name: "a query", path: `${well}/127.0.0.1/PORT/?a`, found: "400" },
  { name: "another path", path: "/masque?h=127.0.0.1&p=PORT", found: "400" },
  { name: "a denied target", path: `${well}/127.0.0.1/25/`, found: "403" },
  {
    name: "a body",
    fields: ["Connection: Upgrade", "Upgrade: connect-udp", "Content-Length: 3"],
    found: "400",
    http2: null
  },
  { name: "POST", method: "POST", found: "400", http2: null },
  { name: "HTTP/1.0", version: "1.0", found: "400", http2: null },
  { name: "no Connection", fields: ["Upgrade: connect-udp"], found: "400", http2: null },
  {
    name: "another protocol",
    fields: ["Connection: Upgrade", "Upgrade: connect-ip"],
    found: "400",
    http2: null
  }
]

const ways = [
  ["HTTP/1.1", Masque.byHttp1],
  ["HTTP/2", Masque.byHttp2]
] as const

it.live.each(ways)("by %s", ([name, way]) =>
  Effect.gen(function* () {
    const { port: target } = yield* echo()
    const program = yield* Program.start([
      ...(name === "HTTP/2" ? ["--listen", "tls:127.0.0.1:0", "--tls", "auto"] : []),
      ...["--private-targets", "allow"]
    ])
    const all = rows.filter(({ http2 }) => name === "HTTP/1.1" || http2 !== null)
    const wanted = all.map((row) => (name === "HTTP/1.1" ? row.found : (row.http2 ?? row.found)))
    const found = yield* Effect.forEach(
      all,
      (row, i) => {
        const place = {
          proxy: program.port,
          path: `${well}/127.0.0.1/${target}/`,
          wanted: Math.max(1, wanted[i]!.split(", ").length - 2)
        }
        const path = row.path?.replace("PORT", String(target))
        return Effect.promise(() => way({ ...row, ...(path !== undefined && { path }) }, place))
      },
      { concurrency: 8 }
    )
    const table = (outcomes: ReadonlyArray<string>) =>
      Object.fromEntries(outcomes.map((outcome, i) => [all[i]!.name, outcome]))
    assert.deepStrictEqual(table(found), table(wanted))
  })
)
