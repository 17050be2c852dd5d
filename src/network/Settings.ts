/**
 * The settings of connections to targets and of the bytes between them and clients.
 */
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"

export class NetworkSettings extends Section.make<NetworkSettings>()("effect-socks/network/Settings", {
  resolveTimeout: Setting.duration({
    description: "Time limit for finding the addresses of a name",
    default: "5s"
  }),
  connectTimeout: Setting.duration({
    description: "Time limit for connecting to a target, all its addresses together",
    default: "10s"
  }),
  idleTimeout: Setting.duration({
    description: "Time without any bytes after which a session is ended",
    default: "15m",
    canBeOff: true
  }),
  halfCloseTimeout: Setting.duration({
    description: "The same for a session of which one side has finished sending",
    default: "1m",
    canBeOff: true
  }),
  bindTimeout: Setting.duration({
    description: "Time limit for the connection that a BIND waits for",
    default: "2m"
  })
}) {}
