/**
 * Messages of DNS: what is written, and that no message of a name server does harm.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as fc from "fast-check"
import * as Dns from "../../src/wire/Dns.ts"
import { utf8 } from "../support/bytes.ts"
import { holds } from "../support/property.ts"

const name = Host.domainNameFromStringUnsafe("web.example")
const question = { name, version: 4 } as const

const labels = (text: string) => [...text.split(".").flatMap((label) => [label.length, ...utf8(label)]), 0]
const toQuestion = [0xc0, 12]

/** A record: its owner, its type, the seconds it may be kept, and its data. */
const record = (owner: ReadonlyArray<number>, type: number, ttl: number, data: ReadonlyArray<number>) => [
  ...owner,
  ...[0, type, 0, 1],
  ...[ttl >>> 24, (ttl >>> 16) & 0xff, (ttl >>> 8) & 0xff, ttl & 0xff],
  ...[0, data.length],
  ...data
]

const response = (
  records: ReadonlyArray<ReadonlyArray<number>>,
  { code = 0, type = 1, asked = "web.example" } = {}
) =>
  Uint8Array.from([
    ...[0x12, 0x34, 0x81, 0x80 | code, 0, 1, 0, records.length, 0, 0, 0, 0],
    ...labels(asked),
    ...[0, type, 0, 1],
    ...records.flat()
  ])

const found = (message: Uint8Array) =>
  Dns.decode(message)?.records.map(({ address, ttl }) => `${NetAddress.formatIp(address)} ${ttl}`)

describe("Dns", () => {
  it("asks one question, with recursion", () => {
    assert.deepStrictEqual(
      [...Dns.encode(0x1234, { name, version: 6 })],
      [0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels("web.example"), 0, 28, 0, 1]
    )
  })

  it("reads the addresses of the type that was asked for", () => {
    const message = response([
      record(toQuestion, 1, 60, [192, 0, 2, 1]),
      record(
        toQuestion,
        28,
        60,
        Array.from({ length: 16 }, () => 1)
      ),
      record(labels("WEB.example"), 1, 2 ** 31, [192, 0, 2, 2]),
      // A record with text, and an address of a class that is not the Internet.
      record(toQuestion, 16, 60, [1, 2, 3]),
      record(toQuestion, 1, 60, [192, 0, 2, 3]).with(5, 3)
    ])
    assert.deepStrictEqual(found(message), ["192.0.2.1 60", `192.0.2.2 ${2 ** 31}`])
    const six = response([record(toQuestion, 28, 5, [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 1])], {
      type: 28
    })
    assert.deepStrictEqual(found(six), ["2001:db8::1 5"])
  })

  it("follows aliases, to their end and for the shortest time", () => {
    const a = labels("a.example")
    const b = labels("b.example")
    const addresses = [record(b, 1, 60, [192, 0, 2, 1]), record(a, 5, 10, b), record(toQuestion, 5, 300, a)]
    assert.deepStrictEqual(found(response(addresses)), ["192.0.2.1 10"])
    // Another name's address, and a circle.
    assert.deepStrictEqual(found(response([record(b, 1, 60, [192, 0, 2, 1])])), [])
    assert.deepStrictEqual(found(response([record(toQuestion, 5, 60, a), record(a, 5, 60, toQuestion)])), [])
  })

  it("knows the response to a question by its question", () => {
    const answers = (message: Uint8Array) => Dns.decode(message)!.answers(question)
    assert.isTrue(answers(response([])))
    assert.isTrue(answers(response([], { asked: "Web.EXAMPLE" })))
    assert.isFalse(answers(response([], { asked: "web2.example" })))
    assert.isFalse(answers(response([], { type: 28 })))
  })

  it("gives the code of a refusal", () => {
    for (const code of [0, 2, 3, 5]) assert.strictEqual(Dns.decode(response([], { code }))!.code, code)
  })

  it("refuses what is malformed", () => {
    const whole = response([record(toQuestion, 1, 60, [192, 0, 2, 1])])
    for (let size = 0; size < whole.length; size++)
      assert.isUndefined(Dns.decode(whole.subarray(0, size)), `${size}`)
    assert.isUndefined(Dns.decode(Dns.encode(1, question)), "a question")
    assert.isUndefined(
      Dns.decode(response([record(toQuestion, 1, 60, [192, 0, 2])])),
      "an address of 3 bytes"
    )
    // Pointers to themselves, ahead, and in a circle.
    for (const to of [29, 200]) {
      assert.isUndefined(
        Dns.decode(response([record([0xc0, to], 1, 60, [192, 0, 2, 1])])),
        `pointer to ${to}`
      )
    }
    assert.isUndefined(Dns.decode(response([record([0x80, 1], 1, 60, [192, 0, 2, 1])])), "a reserved length")
  })

  it("reads any bytes without an exception, and in little time", () => {
    const bytes = fc.uint8Array({ maxLength: 300 })
    holds(
      fc.property(
        bytes,
        (tail) => void Dns.decode(Uint8Array.from([...response([]).subarray(0, 12), ...tail]))
      )
    )
    // 65,535 bytes of pointers to long names.
    const long = new Uint8Array(65_535).fill(1)
    long.set([0, 0, 0x81, 0x80, 0, 1, 0xff, 0xff, 0, 0, 0, 0])
    const started = performance.now()
    Dns.decode(long)
    assert.isBelow(performance.now() - started, 1000)
  })
})
