/**
 * A program whose users file changes while some of them are there.
 */
import { rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Peer } from "../../src/testing/index.ts"
import { datagram, request } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"
import * as Udp from "../support/udp.ts"

const entry = (name: string, rest = "groups: [staff]") => `- { name: ${name}, password: secret, ${rest} }\n`
const all = ["removed", "expired", "moved", "demoted", "fine"]
const before = all.map((name) => entry(name)).join("")
const after =
  entry("expired", "groups: [staff], expires: 2020-01-01") +
  entry("moved", "groups: [staff], networks: [192.0.2.0/24]") +
  entry("demoted", "groups: []") +
  entry("fine")

/** A program with these settings and those users, a session of each of them, and what gives it other users. */
const started = Effect.fnUntraced(function* (settings: string, ...names: ReadonlyArray<string>) {
  const directory = yield* Temporary.directory
  const usersFile = join(directory, "users.yaml")
  const write = (text: string) =>
    Effect.promise(async () => {
      await writeFile(`${usersFile}.new`, text)
      await rename(`${usersFile}.new`, usersFile)
    })
  yield* write(before)
  const config = join(directory, "effect-socks.yaml")
  const rules = "rules: [{ allow: true, groups: staff }, { allow: true, to: 192.0.2.0/24 }]\n"
  yield* Effect.promise(() => writeFile(config, `${settings}users-file: ${usersFile}\n${rules}`))
  const { port, kill, logged } = yield* Program.start(["--config", config, "--listen", "127.0.0.1:0"])
  const reload = Effect.andThen(kill("SIGHUP"), logged({ message: "reloaded" }))
  const sessions = yield* Effect.forEach(names, (name) =>
    Effect.flatMap(Tcp.target, (target) => Tcp.sessionOf(name, port, target))
  )
  return { port, write, reload, sessions }
})

const goesOn = Effect.fnUntraced(function* ({ client, origin }: Record<"client" | "origin", Peer>) {
  yield* client.send("still here")
  assert.strictEqual(new TextDecoder().decode(yield* origin.receive(10)), "still here")
})

const ended = Effect.fnUntraced(function* (sessions: ReadonlyArray<Record<"client" | "origin", Peer>>) {
  for (const { client, origin } of sessions) {
    assert.strictEqual(yield* client.ending, "reset")
    assert.strictEqual(yield* origin.ending, "reset")
  }
})

describe.concurrent("a users file that changes", () => {
  for (const [how, workers, isReloaded] of [
    [", after a reload too", 1, true],
    [", of workers", 2, false]
  ] as const) {
    it.live(`ends sessions that are no longer allowed, with --end-denied${how}`, () =>
      Effect.gen(function* () {
        const { write, reload, sessions } = yield* started(`end-denied: true\nworkers: ${workers}\n`, ...all)
        if (isReloaded) yield* reload
        yield* write(after)
        yield* ended(sessions.slice(0, 4))
        yield* goesOn(sessions[4]!)
      })
    )
  }

  it.live("ends sessions and the use of denied destinations, and not the association", () =>
    Effect.gen(function* () {
      const { port, write, sessions } = yield* started("end-denied: true\n", ...all)
      const control = yield* Tcp.connect(port)
      yield* Tcp.authenticate(control, "demoted", "secret")
      yield* control.send(request("0.0.0.0", 0, 0x03))
      const [high = 0, low = 0] = (yield* control.receive(10)).subarray(8)
      const target = yield* Udp.echo()
      const client = yield* Udp.open()
      const send = client.send(datagram("127.0.0.1", target.port, [1, 2, 3]), (high << 8) | low)
      yield* send
      yield* client.receive
      yield* write(after)
      yield* ended(sessions.slice(0, 4))
      yield* goesOn(sessions[4]!)
      yield* send
      assert.isTrue(Option.isNone(yield* Effect.timeoutOption(client.receive, "500 millis")))
      yield* control.end
      assert.strictEqual(yield* control.ending, "end")
    })
  )

  it.live("leaves sessions open otherwise", () =>
    Effect.gen(function* () {
      const { port, write, sessions } = yield* started("", "removed")
      yield* write(after)
      const isGone = Effect.map(Tcp.logIn(port, "removed", "secret"), ([, status]) => status !== 0)
      while (!(yield* isGone)) yield* Effect.sleep("200 millis")
      yield* goesOn(sessions[0]!)
    })
  )
})
