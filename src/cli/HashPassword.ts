/**
 * `effect-socks hash-password`: the hash of a password, for a users file or a
 * config file. It comes from standard input; a terminal does not show it.
 */
import * as Console from "effect/Console"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as Terminal from "effect/Terminal"
import * as Hashing from "../auth/Hashing.ts"
import * as PasswordHash from "../auth/PasswordHash.ts"
import { BadSetting } from "../Errors.ts"
import { printable } from "../wire/Text.ts"

export const command = Command.make(
  "hash-password",
  {
    cost: Flag.String("cost").pipe(
      Flag.withMetavar("COST"),
      Flag.withDescription(
        "Memory for each login, as the binary logarithm of scrypt's N: 15 for 32 MiB, 16 for 64 MiB, 17 for " +
          "128 MiB; all take about as long"
      ),
      Flag.withDefault("15")
    )
  },
  Effect.fnUntraced(function* ({ cost: text }) {
    const cost = Hashing.costs.find((cost) => String(cost) === text)
    if (cost === undefined) {
      return yield* new BadSetting({
        setting: "--cost",
        value: `"${printable(text)}"`,
        expected: `one of ${Hashing.costs.join(", ")}`
      })
    }
    yield* Console.log(PasswordHash.format(yield* Hashing.hash(yield* read, cost)))
  })
).pipe(
  Command.withDescription("Hash a password from standard input, for a users file or a config file"),
  Command.withExamples([
    {
      command: "effect-socks hash-password",
      description: "Ask for a password, and print what goes behind NAME: in a users file"
    }
  ])
)

/** A password from standard input; a terminal does not show it. */
export const read = Effect.gen(function* () {
  const password = (yield* (yield* Stdio.Stdio).stdinIsTerminal) ? yield* fromTerminal : yield* fromPipe
  if (password.length >= 1 && password.length <= 255 && !password.includes(0)) return password
  return yield* new BadSetting({
    setting: "the password",
    value: "what was given",
    expected: "1 to 255 bytes, none of them NUL"
  })
})

/** All of standard input, without a line break at its end. */
const fromPipe = Effect.gen(function* () {
  const { stdin } = yield* Stdio.Stdio
  const bytes = Buffer.concat(yield* Stream.runCollect(stdin))
  const isBroken = bytes.at(-1) === lineFeed
  return bytes.subarray(0, bytes.length - (isBroken ? (bytes.at(-2) === carriageReturn ? 2 : 1) : 0))
})

const lineFeed = 0x0a
const carriageReturn = 0x0d

/** A line from the terminal, after a prompt on standard error. Empty if the user interrupts. */
const fromTerminal = Effect.gen(function* () {
  const keys = yield* (yield* Terminal.Terminal).readInput
  yield* Effect.sync(() => process.stderr.write("Password: "))
  const characters: Array<string> = []
  while (true) {
    const { input, key } = yield* Queue.take(keys)
    if (key.name === "return" || key.name === "enter") return utf8.encode(characters.join(""))
    if (key.name === "backspace") characters.pop()
    else if (Option.isSome(input) && /^\P{Cc}$/u.test(input.value)) characters.push(input.value)
  }
}).pipe(
  Effect.scoped,
  Effect.catchTag("Done", () => Effect.succeed(new Uint8Array(0))),
  Effect.ensuring(Effect.sync(() => process.stderr.write("\n")))
)

const utf8 = new TextEncoder()
