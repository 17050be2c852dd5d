/**
 * Client bytes as text that is safe to print: without the escape sequences that terminals obey, and without the line
 * breaks that end a line of a log.
 */

/**
 * The text of UTF-8 bytes or of a string, cut to `limit` characters. Unprintable characters and the backslash become
 * `\u{…}`. Two strings of up to `limit` characters never have the same printable text, so rules and limits can use the
 * printable names of users. Invalid bytes of UTF-8 all become the same character.
 */
export const printable = (input: Uint8Array | string, limit = 255): string => {
  const text = typeof input === "string" ? input : utf8.decode(input)
  if (plain.test(text) && text.length <= limit) return text
  const characters = Array.from(text)
  const escaped = characters
    .slice(0, limit)
    .map((character) =>
      unprintable.test(character) ? `\\u{${character.codePointAt(0)?.toString(16)}}` : character
    )
    .join("")
  return characters.length > limit ? `${escaped}…` : escaped
}

/** The string whose `printable` text is `shown`, if nothing was cut. */
export const fromPrintable = (shown: string): string =>
  shown.replace(/\\u\{([0-9a-f]{1,6})\}/g, (escape, code: string) => {
    const point = Number.parseInt(code, 16)
    return point > 0x10ffff ? escape : String.fromCodePoint(point)
  })

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })

const plain = /^[\x21-\x5b\x5d-\x7e]*$/

// Control and format characters (bidirectional overrides among them), surrogates, unassigned characters, every
// separator but the space, and the backslash, which begins an escape.
const unprintable = /[\p{C}\p{Zl}\p{Zp}\\]|(?! )\p{Zs}/u
