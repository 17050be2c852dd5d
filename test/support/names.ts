/**
 * A name server on loopback, and a program that asks it and no other.
 */
import { spawnSync } from "node:child_process"
import { createSocket } from "node:dgram"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Program from "./program.ts"

export type Answer = "no such name" | "failure" | "silence" | ReadonlyArray<ReadonlyArray<number>>

/** What the server says to a question; addresses have 4 or 16 numbers each. */
export type Answers = (name: string, family: 4 | 6) => Answer

/** Where it answers, if a test does not say otherwise: two at once need two addresses. */
const usual = "127.0.0.99"

/** Whether this process may do what `serve` and `start` need. */
export const isPermitted = process.getuid?.() === 0 && spawnSync("unshare", ["-m", "true"]).status === 0

/** Answers until the scope closes; gives the names that it was asked for. */
export const serve = Effect.fnUntraced(function* (
  answers: Answers,
  address = usual
): Effect.fn.Return<ReadonlyArray<string>, never, Scope.Scope> {
  const asked: Array<string> = []
  const socket = createSocket("udp4", (query, from) => {
    const { name, type, end } = question(query)
    asked.push(name)
    const answer = type === 1 || type === 28 ? answers(name, type === 1 ? 4 : 6) : []
    if (answer !== "silence")
      socket.send(response(query.subarray(0, end), type, answer), from.port, from.address)
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      socket.bind(53, address, () => resume(Effect.void))
    }),
    () => Effect.sync(() => socket.close())
  )
  return asked
})

/** RFC 1035 §4.1.2: the one question of a query, and where it ends. */
const question = (query: Buffer) => {
  const labels: Array<string> = []
  let at = 12
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

const codes = { failure: 2, "no such name": 3 }

/** RFC 1035 §4.1.1, §4.1.3: the question again, and a record for each address, for no time at all. */
const response = (asked: Buffer, type: number, answer: Exclude<Answer, "silence">): Buffer => {
  const header = Buffer.from(asked)
  const addresses = typeof answer === "string" ? [] : answer
  header.writeUInt16BE(0x8180 | (typeof answer === "string" ? codes[answer] : 0), 2)
  header.writeUInt16BE(addresses.length, 6)
  header.writeUInt32BE(0, 8)
  const records = addresses.map((octets) =>
    Buffer.from([0xc0, 0x0c, 0, type, 0, 1, 0, 0, 0, 0, 0, octets.length, ...octets])
  )
  return Buffer.concat([header, ...records])
}

/** The program where `resolv.conf` and `hosts` are these, which nothing else sees. */
export const start = Effect.fnUntraced(function* (options: {
  readonly flags: ReadonlyArray<string>
  readonly resolvConf: string
  readonly hosts: string
  readonly nameServer?: string
}): Effect.fn.Return<Program.Program, never, Scope.Scope> {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "names-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )
  writeFileSync(
    join(directory, "resolv.conf"),
    `nameserver ${options.nameServer ?? usual}\n${options.resolvConf}\n`
  )
  writeFileSync(join(directory, "hosts"), `${options.hosts}\n`)
  const shell = [
    `mount --bind ${directory}/resolv.conf /etc/resolv.conf`,
    `mount --bind ${directory}/hosts /etc/hosts`,
    'exec "$@"'
  ].join(" && ")
  return yield* Program.start(options.flags, { by: ["unshare", "-m", "bash", "-c", shell, "bash"] })
})
