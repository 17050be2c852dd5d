import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as ListenAddress from "../ListenAddress.ts"
import * as Condition from "./Condition.ts"

/** As the log has them. The unspecified address stands for all of the machine's. */
export const listeners = Condition.make({
  item: Condition.value<string>({
    is: (u): u is string => typeof u === "string",
    read: (text) =>
      Option.flatMap(ListenAddress.fromString(text), (at) => {
        if (at._tag === "WithOptions") return Option.none()
        const place = ListenAddress.placeOf(at)
        const isOne =
          place._tag === "UnixPathAddress" ||
          (place._tag === "HostPort" && NetAddress.isIpAddress(place.host))
        return isOne ? Option.some(ListenAddress.format(place)) : Option.none()
      }),
    write: (listener) => listener,
    expected: "a listener as the log has it, such as 127.0.0.1:1080, [::1]:1080 or unix:/path"
  }),
  description: "Where the client came in",
  format: String,
  holds: (name: string, { listener }) => {
    if (name === listener) return true
    const [, host, port] = /^(0\.0\.0\.0|\[::\])(:\d+)$/.exec(name) ?? []
    const isWide = host === "[::]" || (host !== undefined && !listener.startsWith("["))
    return isWide && !listener.startsWith("unix:") && listener.endsWith(port!)
  },
  includes: Condition.equal
})
