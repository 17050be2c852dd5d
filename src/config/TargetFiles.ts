/**
 * Files of targets, for lists too long for a rule: a pattern a line, `#` begins
 * a comment.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { BadSetting } from "../Errors.ts"
import { printable } from "../wire/Text.ts"
import * as Rule from "./Rule.ts"
import * as TargetPattern from "./TargetPattern.ts"

/** The files that rules name, each once; relative to a directory, that of the file the rules are in. */
export const paths = Effect.fnUntraced(function* (
  rules: ReadonlyArray<Rule.Written>,
  directory: string
): Effect.fn.Return<ReadonlyArray<string>, never, Path.Path> {
  const { resolve } = yield* Path.Path
  const names = rules.flatMap(({ "to-file": name }) => (name === undefined ? [] : [name]))
  return [...new Set(names.map((name) => resolve(directory, name)))]
})

/** The rules with what their files say put behind their own targets. */
export const load = Effect.fnUntraced(function* (
  rules: ReadonlyArray<Rule.Written>,
  directory: string
): Effect.fn.Return<ReadonlyArray<Rule.Rule>, BadSetting, FileSystem.FileSystem | Path.Path> {
  const files = yield* FileSystem.FileSystem
  const { resolve } = yield* Path.Path
  return yield* Effect.forEach(rules, (written, index) => {
    const { "to-file": name, ...rule } = written
    if (name === undefined) return Effect.succeed(rule)
    return files.readFileString(resolve(directory, name)).pipe(
      Effect.mapError(
        ({ reason }) =>
          new BadSetting({
            setting: `to-file of ${Rule.nameOf(rule, index)}`,
            value: `"${printable(name)}" (${reason._tag})`,
            expected: "a file that can be read"
          })
      ),
      Effect.flatMap((text) => parse(name, text)),
      Effect.map((targets) => ({ ...rule, to: [...(rule.to ?? []), ...targets] }))
    )
  })
})

const parse = Effect.fnUntraced(function* (
  file: string,
  text: string
): Effect.fn.Return<ReadonlyArray<TargetPattern.TargetPattern>, BadSetting> {
  const targets: Array<TargetPattern.TargetPattern> = []
  const lines = text.replace(/^\ufeff/, "").split("\n")
  for (const [index, line] of lines.entries()) {
    const written = line.replace(/#.*/s, "").trim()
    if (written === "") continue
    const target = TargetPattern.fromString(written)
    if (Option.isNone(target)) {
      return yield* new BadSetting({
        setting: `${printable(file)}:${index + 1}`,
        value: `"${printable(written)}"`,
        expected: Rule.expectedTarget
      })
    }
    targets.push(target.value)
  }
  return targets
})
