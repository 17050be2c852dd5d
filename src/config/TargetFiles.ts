/**
 * Files of targets, for lists that are too long for a rule: one pattern on each line; `#`
 * begins a comment.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Issue from "effect/SchemaIssue"
import * as Slices from "../base/Slices.ts"
import { printable } from "../wire/Text.ts"
import { expectedTarget } from "./conditions/Targets.ts"
import { Files } from "./Files.ts"
import * as Rule from "./Rule.ts"
import * as Schemas from "./Schemas.ts"
import * as TargetPattern from "./TargetPattern.ts"

/** The rule, with the targets of its file after the targets in the rule. */
const fill = Effect.fnUntraced(function* ({
  "to-file": file,
  ...rule
}: Rule.Written): Effect.fn.Return<Rule.Rule, Issue.Issue, Files> {
  if (file === undefined) return rule
  const text = yield* Effect.mapError(
    // Not kept: the file may be very long, and is read once.
    Files.use(({ read }) => read(file, false)),
    (reason) => issue(file, reason)
  )
  const read = yield* Slices.run(targets(text))
  if ("wrong" in read) return yield* Effect.fail(issue(file, `${read.wrong} is not ${expectedTarget}`))
  return { ...rule, to: [...(rule.to ?? []), ...read.targets] }
})

type Read = { readonly targets: ReadonlyArray<TargetPattern.TargetPattern> } | { readonly wrong: string }

function* targets(text: string): Slices.Work<Read> {
  const targets: Array<TargetPattern.TargetPattern> = []
  let number = 0
  for (let start = text.startsWith("\ufeff") ? 1 : 0; start <= text.length; ) {
    const end = text.indexOf("\n", start)
    const line = text.slice(start, end === -1 ? text.length : end)
    start = end === -1 ? text.length + 1 : end + 1
    if ((++number & 255) === 0) yield
    const written = line.replace(/#.*/s, "").trim()
    if (written === "") continue
    const target = TargetPattern.fromString(written)
    if (Option.isNone(target)) return { wrong: `line ${number}: "${printable(written)}"` }
    targets.push(target.value)
  }
  return { targets }
}

/** The schema of a rule in the config file. */
export const ruleForm: Schemas.Form<Rule.Rule> = Schemas.thenRead(Rule.schema, fill)

/** The schema of the rules in the config file. */
export const rulesForm = Schemas.list(ruleForm, { canBeEmpty: true })

const issue = (file: string, reason: string): Issue.Issue =>
  new Issue.Pointer(["to-file"], new Issue.InvalidValue({ message: `"${printable(file)}" ${reason}` }))
