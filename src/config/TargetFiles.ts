/**
 * Files of targets, for lists too long for a rule: a pattern a line, `#` begins
 * a comment.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Issue from "effect/SchemaIssue"
import { printable } from "../wire/Text.ts"
import { Files } from "./Files.ts"
import * as Forms from "./Forms.ts"
import * as Rule from "./Rule.ts"
import * as TargetPattern from "./TargetPattern.ts"

/** The rule with what its file says put behind its own targets. */
export const fill = Effect.fnUntraced(function* ({
  "to-file": file,
  ...rule
}: Rule.Written): Effect.fn.Return<Rule.Rule, Issue.Issue, Files> {
  if (file === undefined) return rule
  const text = yield* Effect.mapError(
    Files.use(({ read }) => read(file)),
    (reason) => issue(file, reason)
  )
  const targets: Array<TargetPattern.TargetPattern> = []
  for (const [index, line] of text
    .replace(/^\ufeff/, "")
    .split("\n")
    .entries()) {
    const written = line.replace(/#.*/s, "").trim()
    if (written === "") continue
    const target = TargetPattern.fromString(written)
    if (Option.isNone(target)) {
      return yield* Effect.fail(
        issue(file, `line ${index + 1}: "${printable(written)}" is not ${Rule.expectedTarget}`)
      )
    }
    targets.push(target.value)
  }
  return { ...rule, to: [...(rule.to ?? []), ...targets] }
})

/** A rule as the config file has it. */
export const ruleForm: Forms.Form<Rule.Rule> = Forms.further(Rule.schema, fill)

const issue = (file: string, reason: string): Issue.Issue =>
  new Issue.Pointer(["to-file"], new Issue.InvalidValue({ message: `"${printable(file)}" ${reason}` }))
