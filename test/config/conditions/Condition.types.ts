/**
 * What must not compile: a condition that lacks a part, or parts that are about different values. Held by
 * `npm run types`, for which an error that is expected and missing is an error.
 */
import * as Schema from "effect/Schema"
import * as Condition from "../../../src/config/conditions/Condition.ts"
import * as Term from "../../../src/config/conditions/Term.ts"

const term = Term.names<string>({ kind: "kind", of: ({ listener }) => listener })

const whole = {
  item: Schema.String,
  description: "",
  format: (text: string) => text,
  term,
  includes: Condition.equal<string>
}

/** What compiles. */
void Condition.make(whole)

const { term: _, ...unjudged } = whole
// @ts-expect-error: not judged
void Condition.make(unjudged)

const { includes: __, ...incomparable } = whole
// @ts-expect-error: `check` cannot compare it
void Condition.make(incomparable)

const { facts: ___, ...factless } = term
// @ts-expect-error: neither facts nor a test
void Condition.make({ ...whole, term: factless })

const { about: ____, ...timeless } = term
// @ts-expect-error: nothing says what has to be known
void Condition.make({ ...whole, term: timeless })

// @ts-expect-error: its values are numbers, and those of the term are texts
void Condition.make({ ...whole, item: Schema.Number })
