/**
 * Changes of a users file by the store, while others change it, too.
 */
import {
  chmodSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { back, leave, proxy, welcome } from "../../examples/users-in-a-file.ts"
import * as PasswordHash from "../../src/auth/PasswordHash.ts"
import * as UsersFileStore from "../../src/auth/UsersFileStore.ts"
import { BadSetting } from "../../src/Errors.ts"
import { Server, UserStore } from "../../src/index.ts"
import * as Tcp from "../support/tcp.ts"
import { directory } from "../support/temporary.ts"

const hash = "$scrypt$ln=15,r=8,p=3$c2FsdHNhbHQ$AAECAwQFBgcICQoLDA0ODw"
const passwordHash = Redacted.make(Result.getOrThrow(PasswordHash.fromString(hash)))
const user = (name: string) => ({ name, passwordHash })

const storeIn = (path: string) => UsersFileStore.make(path, () => Effect.void)

const namesIn = (path: string) =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.replace(/:.*/, ""))

describe.concurrent("the store in a users file", () => {
  it.live("has the users of an app, who are there again after a restart", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "users.yaml")
      writeFileSync(path, "[]\n", { mode: 0o600 })
      const running = <A, E>(run: (canLogIn: Effect.Effect<boolean>) => Effect.Effect<A, E, UserStore>) =>
        Effect.gen(function* () {
          const { addresses } = yield* Server
          const status = Effect.orDie(Effect.scoped(Tcp.logIn(addresses[0]!.port, "alice", "secret")))
          return yield* run(Effect.map(status, ([, status]) => status === 0))
        }).pipe(Effect.provide(proxy(path)), Effect.scoped)
      yield* running((canLogIn) =>
        Effect.gen(function* () {
          assert.isFalse(yield* canLogIn)
          assert.isTrue(yield* welcome("alice", Redacted.make("secret")))
          assert.isFalse(yield* welcome("alice", Redacted.make("other")))
          assert.isTrue(yield* canLogIn)
          assert.isTrue(yield* leave("alice"))
          assert.isFalse(yield* canLogIn)
        })
      )
      assert.notInclude(readFileSync(path, "utf8"), "secret")
      yield* running((canLogIn) =>
        Effect.gen(function* () {
          assert.isFalse(yield* canLogIn)
          assert.isTrue(yield* back("alice"))
          assert.isTrue(yield* canLogIn)
          // By hand, too.
          writeFileSync(path, "[]\n")
          yield* Effect.repeat(Effect.delay(canLogIn, "20 millis"), { while: (can) => can })
        })
      )
      const { message } = yield* Effect.flip(Effect.scoped(Layer.build(UserStore.layerFile(`${path}.none`))))
      assert.match(
        message,
        /^UserStore\.layerFile: ".*users\.yaml\.none" is not a file that can be read \(ENOENT\)$/
      )
    })
  )

  it.live("keeps all that there is of a new user, or says what the file cannot have", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const eve = {
        ...{
          name: "eve",
          password: Redacted.make("secret"),
          groups: ["staff"],
          expires: Date.UTC(2030, 0, 2)
        },
        networks: [IpNetwork.fromStringUnsafe("192.0.2.0/24")],
        ...{ limits: { sessions: 5, download: 10 * 2 ** 20 }, enabled: false }
      }
      for (const name of ["users.yaml", "users.json", "users"])
        writeFileSync(join(path, name), name === "users" ? "" : "[]")
      for (const name of ["users.yaml", "users.json"]) {
        assert.isTrue(yield* storeIn(join(path, name)).add(eve))
        const [kept] = yield* storeIn(join(path, name)).list
        const { passwordHash, ...others } = kept!
        assert.isDefined(passwordHash)
        const { password, ...expected } = eve
        assert.deepStrictEqual(others, expected, name)
      }
      const store = storeIn(join(path, "users"))
      for (const [user, reason] of [
        [eve, "names and hashes only"],
        [{ name: "a:b", password: Redacted.make("secret") }, "must not have a colon"],
        [{ name: "bob", password: Redacted.make("x".repeat(256)) }, "1 to 255 bytes"]
      ] as const) {
        assert.include((yield* Effect.flip(store.add(user))).message, reason)
      }
      assert.isTrue(yield* store.add({ ...user("bob"), enabled: false }))
      assert.strictEqual(readFileSync(join(path, "users"), "utf8"), `bob:!${hash}\n`)
    })
  )

  it.live("adds, changes and removes users, and keeps permissions, comments and a link", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const file = join(path, "data")
      const link = join(path, "users")
      writeFileSync(file, `# ours\nalice:${hash}\n`, { mode: 0o640 })
      symlinkSync("data", link)
      const store = storeIn(link)
      assert.isTrue(yield* store.add(user("bob")))
      assert.isFalse(yield* store.add(user("bob")))
      assert.isTrue(yield* store.change("alice", { enabled: false }))
      assert.deepStrictEqual(
        (yield* store.list).map(({ name, enabled = true }) => [name, enabled]),
        [
          ["alice", false],
          ["bob", true]
        ]
      )
      assert.isFalse(yield* store.change("nobody", { enabled: false }))
      assert.isTrue(yield* store.remove("alice"))
      assert.isFalse(yield* store.remove("alice"))
      assert.strictEqual(readFileSync(file, "utf8"), `# ours\nbob:${hash}\n`)
      assert.strictEqual(statSync(file).mode & 0o777, 0o640)
      assert.deepStrictEqual(readdirSync(path).sort(), ["data", "users"])
    })
  )

  it.live("loses nothing of what several stores and a hand write at the same time", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "users")
      writeFileSync(path, "# ours\n")
      const stores = [storeIn(path), storeIn(path)]
      const adding = Effect.forEach(
        Array.from({ length: 40 }, (_, index) => index),
        (index) => stores[index % 2]!.add(user(`store${index}`)),
        { concurrency: "unbounded" }
      )
      // As editors do, and as `>>` does.
      const byHand = Effect.gen(function* () {
        for (let index = 0; index < 10; index++) {
          yield* Effect.sleep("35 millis")
          if (index % 2 === 0) writeFileSync(path, `hand${index}:${hash}\n`, { flag: "a" })
          else {
            writeFileSync(`${path}~`, `${readFileSync(path, "utf8")}hand${index}:${hash}\n`)
            renameSync(`${path}~`, path)
          }
        }
      })
      yield* Effect.all([adding, byHand], { concurrency: "unbounded" })
      const names = namesIn(path)
      for (let index = 0; index < 40; index++) assert.include(names, `store${index}`)
      for (let index = 0; index < 10; index++) assert.include(names, `hand${index}`)
      assert.lengthOf(names, 50)
    })
  )

  it.live("tells of a change that is made while a reader takes the users before it", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "users.txt")
      writeFileSync(path, `alice:${hash}\nbob:${hash}\n`, { mode: 0o600 })
      const { changes, remove } = storeIn(path)
      const lists = yield* changes.pipe(
        Stream.map((users) => users.map(({ name }) => name)),
        Stream.tap((names) => (names.includes("bob") ? remove("bob") : Effect.void)),
        Stream.take(2),
        Stream.runCollect,
        Effect.timeoutOption("10 seconds")
      )
      assert.deepStrictEqual(Option.getOrUndefined(lists), [["alice", "bob"], ["alice"]])
    }).pipe(Effect.scoped)
  )

  it.live("waits for a program that writes, and does not take half a file for the whole", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "users")
      const all = Array.from({ length: 10 }, (_, index) => `user${index}:${hash}\n`)
      writeFileSync(path, all.join(""))
      const store = storeIn(path)
      yield* store.add(user("first"))
      const writing = Effect.gen(function* () {
        writeFileSync(path, "")
        for (const line of [...all, `first:${hash}\n`]) {
          yield* Effect.sleep("20 millis")
          writeFileSync(path, line, { flag: "a" })
        }
      })
      yield* Effect.all([writing, Effect.delay(store.add(user("second")), "30 millis")], {
        concurrency: "unbounded"
      })
      assert.sameMembers(namesIn(path), [...all.map((line) => line.replace(/:.*\n/, "")), "first", "second"])
      // Most of it is gone, and nothing writes.
      writeFileSync(path, all[0]!)
      const { message } = yield* Effect.flip(store.add(user("third")))
      assert.include(message, "most of its users are missing")
      assert.deepStrictEqual(namesIn(path), ["user0"])
    })
  )

  it.live("changes nothing where the server could not use it, or the file has mistakes", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "users.yaml")
      writeFileSync(path, "- alice:secret\n")
      const store = UsersFileStore.make(path, (users) =>
        users.length === 1
          ? Effect.void
          : Effect.fail(new BadSetting({ setting: "--rules", value: "alice", expected: "there" }))
      )
      const refused = (
        change: typeof store.add extends (user: never) => infer E ? E : never,
        reason: string
      ) => Effect.map(Effect.flip(change), ({ message }) => assert.include(message, reason))
      yield* refused(store.remove("alice"), "--rules: alice is not there")
      yield* refused(store.add(user("bob")), "--rules: alice is not there")
      writeFileSync(path, "- alice:secret\n- hunter2\n")
      yield* refused(store.remove("alice"), "user 2 of")
      writeFileSync(path, "[alice:secret]\n")
      yield* refused(store.remove("alice"), "changed by hand")
      writeFileSync(path, Buffer.from([0x2d, 0x20, 0x61, 0x3a, 0xff, 0x0a]))
      yield* refused(store.remove("a"), "it is not UTF-8")
      writeFileSync(path, "- alice:secret\n")
      chmodSync(path, 0o444)
      yield* refused(
        store.remove("alice"),
        process.getuid?.() === 0 ? "it is read-only" : "this process may not"
      )
      assert.strictEqual(readFileSync(path, "utf8"), "- alice:secret\n")
      rmSync(path)
      yield* refused(store.remove("alice"), "does not exist")
    })
  )
})
