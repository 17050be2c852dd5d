/**
 * The setting of the transport.
 */
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"

export class TransportSettings extends Section.makeStartOnly<TransportSettings>()(
  "effect-socks/network/TransportSettings",
  {
    transport: Setting.word({
      description:
        "How connections are made: descriptors (Linux, with the package koffi) cost less CPU and memory than " +
        "the sockets of Node. Where there are none, node serves. auto is descriptors on Linux on x64 with glibc, and node " +
        "elsewhere",
      metavar: "KIND",
      words: ["auto", "node", "descriptors"],
      default: "auto"
    })
  }
) {}
