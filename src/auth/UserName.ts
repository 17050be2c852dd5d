/**
 * The names that a new user may have. They are narrower than those in a file that somebody has written: a name is typed
 * by people, read in lists, and is a part of an address of the admin API.
 */
import { printable } from "../wire/Text.ts"
import * as User from "./User.ts"
import * as UserParameters from "./UserParameters.ts"

/** What is wrong with the name of a new user, the end of the sentence "the name …"; undefined for a good name. */
export const flawOf = (
  name: string,
  parameters: ReadonlyArray<UserParameters.UserParameter>
): string | undefined => {
  if (!User.isField(name)) return "has to have 1 to 255 bytes of UTF-8"
  if (name.includes(":")) return "must not have a colon, which ends a name where a password follows"
  if (hasUnprintable(name)) return "must not have line breaks, nor other characters that are not seen"
  if (name !== name.normalize("NFC")) return "has to be in Unicode's normal form C, as a keyboard writes it"
  if (/^[ #]| $/.test(name) || /^\.\.?$/.test(name)) {
    return "must not begin with a space or #, end with a space, or be . or .."
  }
  const read = UserParameters.read(parameters, name)
  if ("refused" in read || read.user !== name) {
    return "would be read as another name with parameters, as --user-parameters says"
  }
  return undefined
}

const hasUnprintable = (name: string): boolean => {
  // The backslash is escaped, too, and seen.
  const others = name.replaceAll("\\", "")
  return printable(others) !== others
}
