/**
 * The settings of bans, and of the files that keep what is known of clients over a restart.
 */
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"

export class BanSettings extends Section.make<BanSettings>()("effect-socks/bans/Settings", {
  banAfter: Setting.count(
    "Number of different wrong logins after which a client network is banned: an IPv4 address or an " +
      "IPv6 /64. A /56 is banned after four times as many, a /48 after sixteen times as many",
    "off",
    10
  ),
  banWindow: Setting.duration({
    description: "Time without a failed login after which earlier ones are forgotten",
    default: "10m"
  }),
  banTime: Setting.duration({
    description:
      "Duration of a first ban. Each further ban of the same network lasts twice as long, up to a day",
    default: "10m"
  }),
  bansFile: Setting.startOnly(
    Setting.file(
      "File that keeps bans over a restart, one JSON object a line. Deleting a line lifts the ban. " +
        "FILE.known keeps which user logged in from which network"
    )
  ),
  stateDir: Setting.startOnly({
    ...Setting.file(
      "Directory that keeps used quotas over a restart, and, without --bans-file, which user logged in " +
        "from which network"
    ),
    metavar: "DIR",
    completion: "directory",
    expected: "the path of a directory"
  })
}) {}
