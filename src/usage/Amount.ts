/**
 * Amounts of usage, and the accounts that they are counted for.
 */

/** What sessions have used. */
export interface Amount {
  /** Bytes to targets. */
  readonly sent: number
  /** Bytes from targets. */
  readonly received: number
  /** Number of sessions that began. */
  readonly sessions: number
  /** Duration of all sessions together, in milliseconds. */
  readonly duration: number
}

export const nothing: Amount = { sent: 0, received: 0, sessions: 0, duration: 0 }

export const bytesOf = ({ sent, received }: Pick<Amount, "sent" | "received">): number => sent + received

export const sum = (one: Amount, other: Amount): Amount => ({
  sent: one.sent + other.sent,
  received: one.received + other.received,
  sessions: one.sessions + other.sessions,
  duration: one.duration + other.duration
})

/** The account of all sessions without a user. */
export const anonymous = "anonymous"

/** The kinds of accounts, as the store has them. */
export type Kind = "user" | "rule" | "anonymous"

/** Splits the key of an account, such as `user alice`, as the store has it. */
export const fromKey = (key: string): { readonly kind: Kind; readonly name: string } => {
  if (key === anonymous) return { kind: "anonymous", name: "" }
  const space = key.indexOf(" ")
  return { kind: key.slice(0, space) === "rule" ? "rule" : "user", name: storable(key.slice(space + 1)) }
}

/** The key of an account, such as `user alice`. */
export const toKey = (kind: string, name: string): string =>
  kind === anonymous ? anonymous : `${kind} ${name}`

/** A name as every database takes it: PostgreSQL refuses NUL and lone surrogates, and then the whole batch. */
const storable = (name: string): string => name.replaceAll("\0", "\ufffd").replace(loneSurrogate, "\ufffd")

const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g
