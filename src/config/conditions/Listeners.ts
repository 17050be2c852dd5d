import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as ListenAddress from "../ListenAddress.ts"
import * as Condition from "./Condition.ts"
import * as Term from "./Term.ts"

const exact = Term.names<string>({ kind: "listener", of: ({ listener }) => listener })

/** Listeners of an unspecified address, which stand for all listeners of the machine at a port. */
const wide = Term.names<string>({ kind: "wideListener", of: ({ listener }) => wideOf(listener) })

/** Listeners as the log has them. */
export const listeners = Condition.make({
  item: Condition.value<string>({
    read: (text) =>
      Option.flatMap(ListenAddress.fromString(text), (at) => {
        if (at._tag === "WithOptions") return Option.none()
        const place = ListenAddress.placeOf(at)
        const isOne =
          place._tag === "UnixPathAddress" ||
          (place._tag === "HostPort" && NetAddress.isIpAddress(place.host))
        return isOne ? Option.some(ListenAddress.format(place)) : Option.none()
      }),
    expected: "a listener as the log has it, such as 127.0.0.1:1080, [::1]:1080 or unix:/path"
  }),
  description: "Where the client came in",
  format: String,
  term: {
    ...exact,
    numberOf: (name, symbols, rule) =>
      (/^(0\.0\.0\.0|\[::\]):/.test(name) ? wide : exact).numberOf(name, symbols, rule),
    facts: (index) => {
      const [one, other] = [exact.facts(index), wide.facts(index)]
      if (one === undefined || other === undefined) return one ?? other
      return (request, address, found) => {
        one(request, address, found)
        other(request, address, found)
      }
    }
  },
  includes: Condition.equal
})

/** The unspecified addresses that stand for a listener: of its family, and of both families. */
const wideOf = (listener: string): ReadonlyArray<string> => {
  if (listener.startsWith("unix:")) return []
  const port = listener.slice(listener.lastIndexOf(":"))
  const both = `[::]${port}`
  return listener.startsWith("[") ? [both] : [`0.0.0.0${port}`, both]
}
