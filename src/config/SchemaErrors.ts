/**
 * The problems of a value, from the issues of its `Schema`. `ProblemErrors` makes errors of
 * them.
 */
import type * as SchemaAST from "effect/SchemaAST"
import type * as SchemaIssue from "effect/SchemaIssue"

export interface Problem {
  readonly path: ReadonlyArray<PropertyKey>
  readonly kind:
    | { readonly _tag: "Wrong"; readonly expected: string }
    | { readonly _tag: "Said"; readonly message: string }
    | { readonly _tag: "Missing" }
    | { readonly _tag: "Unknown"; readonly known: ReadonlyArray<string> }
  /** Whether the value is a secret, or may contain a secret. */
  readonly isSecret: boolean
}

type Path = Problem["path"]

/** All problems, in the order of the schema. */
export const fromIssue = (
  issue: SchemaIssue.Issue,
  path: Path = [],
  isSecret = false
): ReadonlyArray<Problem> => {
  const wrong = (expected: string): ReadonlyArray<Problem> => [
    { path, kind: { _tag: "Wrong", expected }, isSecret }
  ]
  const said = (message: string): ReadonlyArray<Problem> => [
    { path, kind: { _tag: "Said", message }, isSecret }
  ]
  const within = (ast: SchemaAST.AST, inner: SchemaIssue.Issue) =>
    fromIssue(inner, path, isSecret || isMarked(ast))
  switch (issue._tag) {
    case "Pointer":
      return fromIssue(issue.issue, [...path, ...issue.path], isSecret)
    case "Composite":
      return summarized(
        issue.ast,
        path,
        issue.issues.flatMap((inner) => within(issue.ast, inner))
      )
    case "Encoding":
      return summarized(issue.ast, path, within(issue.ast, issue.issue))
    case "AnyOf": {
      if (issue.issues.length === 0) return fromType(issue.ast, path, isSecret)
      return summarized(
        issue.ast,
        path,
        closestAlternative(
          issue.issues.map((inner) => within(issue.ast, inner)),
          path
        )
      )
    }
    case "Filter": {
      const inner = fromIssue(issue.issue, path, isSecret)
      if (inner.some(({ path: { length }, kind }) => length > path.length || kind._tag !== "Wrong"))
        return inner
      const { message, expected } = issue.filter.annotations ?? {}
      if (typeof message === "string") return said(message)
      return typeof expected === "string" ? wrong(expected) : inner
    }
    case "InvalidValue": {
      const { message, expected } = issue.annotations ?? {}
      if (typeof message === "string") return said(message)
      return wrong(typeof expected === "string" ? expected : "valid")
    }
    case "MissingKey":
      return [{ path, kind: { _tag: "Missing" }, isSecret }]
    case "UnexpectedKey":
      return [
        {
          path,
          kind: { _tag: "Unknown", known: keysOf(issue.ast) },
          isSecret: isSecret || hasSecret(issue.ast)
        }
      ]
    case "InvalidType":
      return fromType(issue.ast, path, isSecret)
    case "OneOf":
      return fromType(issue.ast, path, isSecret)
    case "Forbidden":
      return wrong("allowed")
  }
}

/** The problem of a value of another type. */
const fromType = (ast: SchemaAST.AST, path: Path, isSecret: boolean): ReadonlyArray<Problem> => {
  const message = annotation(ast, "message")
  const kind: Problem["kind"] =
    typeof message === "string" ? { _tag: "Said", message } : { _tag: "Wrong", expected: expectedOf(ast) }
  return [{ path, kind, isSecret: isSecret || hasSecret(ast) }]
}

/** Replaces problems that are about a whole value by one problem with the `expected` of the outer schema. */
const summarized = (
  ast: SchemaAST.AST,
  path: Path,
  problems: ReadonlyArray<Problem>
): ReadonlyArray<Problem> => {
  // Not the annotation of a check, which is for values that fail the check.
  const expected = ast.annotations?.expected
  const isWhole = problems.every(
    ({ path: { length }, kind }) => length === path.length && kind._tag === "Wrong"
  )
  return typeof expected === "string" && isWhole
    ? [{ path, kind: { _tag: "Wrong", expected }, isSecret: problems.some(({ isSecret }) => isSecret) }]
    : problems
}

/**
 * The problems of the alternative that was probably meant: the alternative with the fewest problems inside the value.
 */
const closestAlternative = (
  alternatives: ReadonlyArray<ReadonlyArray<Problem>>,
  path: Path
): ReadonlyArray<Problem> => {
  const [inside] = alternatives
    .filter((problems) =>
      problems.every(({ path: { length }, kind }) => length > path.length || kind._tag === "Said")
    )
    .toSorted((one, other) => one.length - other.length)
  if (inside) return inside
  const whole = alternatives.flat().filter(({ path: { length } }) => length === path.length)
  const expected = new Set(whole.flatMap(({ kind }) => (kind._tag === "Wrong" ? [kind.expected] : [])))
  return [
    {
      path,
      kind: { _tag: "Wrong", expected: Array.from(expected).join(", nor ") },
      isSecret: alternatives.flat().some(({ isSecret }) => isSecret)
    }
  ]
}

/** An annotation of a schema: of the last check, if the schema has checks. */
const annotation = (ast: SchemaAST.AST, name: string): unknown =>
  ast.checks?.at(-1)?.annotations?.[name] ?? ast.annotations?.[name]

/** Whether the schema is annotated as a secret, or makes a `Redacted` value. */
const isMarked = (ast: SchemaAST.AST): boolean =>
  annotation(ast, "isSecret") === true ||
  (ast._tag === "Declaration" && ast.annotations?.expected === "Redacted")

const expectedOf = (ast: SchemaAST.AST): string => {
  const expected = annotation(ast, "expected")
  if (typeof expected === "string") return expected
  switch (ast._tag) {
    case "String":
      return "a text"
    case "Number":
      return "a number"
    case "Boolean":
      return "true or false"
    case "Literal":
      return String(ast.literal)
    case "Arrays":
      return "a list"
    case "Objects":
      return "a map of keys and values"
    case "Union":
      return listed(ast.types.map(expectedOf))
    default:
      return "valid"
  }
}

/** `one of a, b and c`. */
const listed = (alternatives: ReadonlyArray<string>): string => {
  const all = Array.from(new Set(alternatives))
  return all.length < 2 ? all.join() : `one of ${all.slice(0, -1).join(", ")} and ${all.at(-1)}`
}

const keysOf = (ast: SchemaAST.AST): ReadonlyArray<string> =>
  ast._tag === "Objects" ? ast.propertySignatures.map(({ name }) => String(name)) : []

/** Whether a value for this schema can be, or contain, a secret. */
const hasSecret = (ast: SchemaAST.AST): boolean => {
  if (isMarked(ast) || (ast.encoding?.some(({ to }) => hasSecret(to)) ?? false)) return true
  switch (ast._tag) {
    case "Arrays":
      return [...ast.elements, ...ast.rest].some(hasSecret)
    case "Objects":
      return (
        ast.propertySignatures.some(({ type }) => hasSecret(type)) ||
        ast.indexSignatures.some(({ type }) => hasSecret(type))
      )
    case "Union":
      return ast.types.some(hasSecret)
    case "Suspend":
      // A recursive schema is not searched.
      return true
    default:
      return false
  }
}
