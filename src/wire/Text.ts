/**
 * Client bytes as text that is safe to print: to a terminal, which obeys escape
 * sequences, and to a log, which believes line breaks.
 */

/**
 * UTF-8 where it is; anything unprintable as `\u{…}`; cut to `limit` characters. No two strings of up to `limit`
 * characters have the same printable text, so rules and limits go by the printable names of users. Bytes that are no
 * UTF-8 all look alike.
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

/** The string that `printable` made the text of, if nothing was cut. */
export const fromPrintable = (shown: string): string =>
  shown.replace(/\\u\{([0-9a-f]+)\}/g, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 16)))

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })

const plain = /^[\x21-\x5b\x5d-\x7e]*$/

// Controls, formats (bidirectional overrides among them), surrogates, unassigned,
// every separator but the space, and the backslash that announces an escape.
const unprintable = /[\p{C}\p{Zl}\p{Zp}\\]|(?! )\p{Zs}/u
