/**
 * Environment variables in the texts of the config file: `${NAME}`, or
 * `${NAME:-TEXT}` for a text where there is none, or an empty one; `$${` is `${`
 * itself.
 */
import * as Option from "effect/Option"

/** The names after `${` in a text: all variables, and possibly names that are none. */
export const names = (text: string): ReadonlySet<string> =>
  new Set(Array.from(text.matchAll(/\$\{([A-Za-z_]\w*)/g), ([, name]) => name!))

/** Replaces the variables in a text. The value of a variable is not searched for variables. */
export const substitute = (
  text: string,
  variable: (name: string) => Option.Option<string>
): { readonly text: string; readonly errors: ReadonlyArray<string> } => {
  const errors: Array<string> = []
  const replaced = text.replace(
    /\$\$\{|\$\{(?:([A-Za-z_]\w*)(?::-([^}]*))?\})?/g,
    (whole: string, name: string | undefined, otherwise: string | undefined) => {
      if (whole === "$${") return "${"
      if (name === undefined) {
        errors.push(
          `a \${ that begins no variable, as \${NAME} and \${NAME:-TEXT} do; write $\${ for the characters themselves`
        )
        return ""
      }
      const value = variable(name)
      if (Option.isSome(value) && value.value !== "") return value.value
      if (otherwise === undefined) {
        errors.push(`the environment variable ${name} is ${Option.isSome(value) ? "empty" : "not set"}`)
      }
      return otherwise ?? ""
    }
  )
  return { text: replaced, errors }
}
