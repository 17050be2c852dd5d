/**
 * Command lines that cannot be read, and what is said of them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as CliError from "effect/cli/CliError"
import * as Mistakes from "../../src/cli/Mistakes.ts"
import * as Settings from "../../src/cli/Settings.ts"
import * as Setting from "../../src/config/Setting.ts"

const flag = (option: string, suggestions: ReadonlyArray<string> = []) =>
  new CliError.UnrecognizedOption({ option, suggestions, command: ["effect-socks"] })

const command = (subcommand: string, suggestions: ReadonlyArray<string>) =>
  new CliError.UnknownSubcommand({ subcommand, parent: ["effect-socks"], suggestions })

describe("an unknown setting", () => {
  it("is reported with the nearest one", () => {
    assert.deepStrictEqual(Mistakes.lines([flag("--idle-timout")]), [
      "There is no setting --idle-timout. Did you mean --idle-timeout?"
    ])
  })

  it("is reported with its name here", () => {
    const lines = Mistakes.lines([flag("--auth"), flag("-p"), flag("--dns-server")])
    assert.deepStrictEqual(lines, [
      "There is no setting --auth. Did you mean --user NAME:PASSWORD?",
      "There is no setting -p. Did you mean --listen ADDRESS?",
      "There is no setting --dns-server. Did you mean --dns SERVER?"
    ])
  })

  it("is reported alone if no setting is similar", () => {
    assert.deepStrictEqual(Mistakes.lines([flag("--zzzzzz\u001b[1m")]), [
      "There is no setting --zzzzzz\\u{1b}[1m."
    ])
  })

  it("does not make its value a command", () => {
    assert.deepStrictEqual(Mistakes.lines([flag("--zzzzzz"), command("7", [])]), [
      "There is no setting --zzzzzz."
    ])
  })

  it("is not a property that every object has", () => {
    assert.deepStrictEqual(Mistakes.lines([flag("--constructor"), flag("--__proto__")]), [
      "There is no setting --constructor.",
      "There is no setting --__proto__."
    ])
  })

  it("is translated to existing settings, and only if none has its name", () => {
    const flags = new Set(Object.keys(Setting.texts(Settings.table)).map(Setting.flagName))
    for (const [name, meant] of Object.entries(Mistakes.translations)) {
      assert.isFalse(flags.has(name), name)
      for (const [, named] of meant.matchAll(/--([\w-]+)/g)) assert.isTrue(flags.has(named!), named)
    }
  })
})

describe("a wrong argument", () => {
  const value = (option: string, value: string) =>
    Mistakes.lines([new CliError.InvalidValue({ option, value, expected: "Expected x", kind: "argument" })])

  it("that is to be a session says what numbers of sessions are", () => {
    assert.deepStrictEqual(value("id", "x\u001b"), [
      '"x\\u{1b}" is no session: sessions have numbers such as 17, which effect-socks sessions lists'
    ])
  })

  it("that is to be a topic of the help says what there is, or the nearest one", () => {
    assert.deepStrictEqual(value("topic", "idle-timout"), [
      "There is no help on idle-timout. Did you mean idle-timeout?"
    ])
    assert.match(value("topic", "nonsense")[0]!, /^There is no help on nonsense\. .*listeners, .*program\.$/)
  })

  it("of another name is told as it is", () => {
    assert.match(value("constructor", "x")[0]!, /x/)
  })
})

describe("an unknown command", () => {
  it("is reported with the nearest one", () => {
    assert.deepStrictEqual(Mistakes.lines([command("chek", ["check"])]), [
      "There is no command chek. Did you mean check?"
    ])
  })
})
