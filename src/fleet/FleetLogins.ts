/**
 * Remembered logins of a whole fleet, so that a user whose password was right at one machine costs no hash at another.
 * The machines tell each other keyed hashes, each second; a lost message costs a hash.
 */
import type { Remembered } from "../auth/RememberedLogins.ts"
import type { LoginSharing } from "../limits/CoordinatorSeat.ts"
import type { FleetStore } from "./FleetStore.ts"
import type { HashSharing } from "./HashSharing.ts"
import type { Keys } from "./Keys.ts"

export interface FleetLogins extends LoginSharing {
  /** Tells the others. To be called each second. */
  readonly sweep: () => void
  /** Takes the logins of another machine. */
  readonly receive: (message: string) => void
}

interface Options extends HashSharing {
  readonly store: Pick<FleetStore["Service"], "publish">
}

/** The most logins of a message. What is beyond is not told. */
const most = 500

/** Logins with the milliseconds for which each is remembered, as clocks differ. */
interface Message {
  readonly from: string
  readonly logins: ReadonlyArray<readonly [login: string, time: number]>
}

export const channelOf = (keys: Keys): string => `${keys.broadcast}:logins`

export const make = ({ store, keys, machine, key, now }: Options): FleetLogins => {
  let follow: (logins: ReadonlyArray<Remembered>) => void = () => {}
  let waiting: Array<Remembered> = []
  return {
    key,
    attach: (next) => {
      follow = next
    },
    tell: (logins) => void waiting.push(...logins.slice(0, most - waiting.length)),
    sweep: () => {
      if (waiting.length === 0) return
      const logins = waiting.map(([login, until]) => [login, until - now()] as const)
      waiting = []
      const message: Message = { from: machine, logins }
      store.publish(channelOf(keys), JSON.stringify(message))
    },
    receive: (message) => {
      const { from, logins }: Message = JSON.parse(message)
      if (from !== machine) follow(logins.map(([login, time]) => [login, now() + time]))
    }
  }
}
