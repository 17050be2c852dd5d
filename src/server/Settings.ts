/**
 * The settings of the server as a whole.
 */
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"

export class ServerSettings extends Section.make<ServerSettings>()("effect-socks/server/Settings", {
  open: Setting.toggle("Allow everyone: listen beyond loopback without asking for a password", false),
  handshakeTimeout: Setting.duration({
    description: "Time limit for PROXY header, TLS, greeting, authentication and request together",
    default: "10s"
  }),
  drainTimeout: Setting.duration({
    description: "Time that sessions have to finish when the server stops",
    default: "10s"
  }),
  blurFailures: Setting.toggle(
    "Answer every failed connection alike (01 or 502), so that clients cannot explore a network by " +
      "the replies",
    false
  ),
  endDenied: Setting.toggle(
    "End sessions that new settings or a new users file would no longer allow: those of removed " +
      "users, and those that the policy now denies",
    false
  )
}) {}
