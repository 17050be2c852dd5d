/**
 * Connections to the store, for machines of which one process plays many. Time may run slower than it does: then the
 * milliseconds that scripts are given are longer by that, and the rates lower.
 */
import { createClient } from "@redis/client"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { FleetStoreFailed } from "../../dist/Errors.js"
import { FleetStore } from "../../dist/fleet/FleetStore.js"
import * as FleetUrl from "../../dist/fleet/FleetUrl.js"
import * as RedisStore from "../../dist/fleet/RedisStore.js"

/** Which arguments of a script are milliseconds of the store. */
const times = {
  ...{ "acquire-slots": [1, 9, 10], "put-slots": [1, 4, 5], "renew-slots": [1] },
  ...{ "take-share": [6], beat: [2] }
}
/** And which are of a second. */
const rates = { "take-tokens": [1] }

/** A connection as each machine has it. */
export const own = async (socket, pace, calls) => {
  const url = Option.getOrThrow(FleetUrl.parse(`redis+unix://${socket}`))
  const scope = Scope.makeUnsafe()
  const services = await Effect.runPromise(Layer.buildWithScope(RedisStore.layer(url), scope))
  const store = Context.get(services, FleetStore)
  return {
    store: { ...store, isConnected: store.isConnected, call: scaled(store.call, pace, calls) },
    listen: (channel, receive) => Effect.runPromise(Scope.provide(store.subscribe(channel, receive), scope))
  }
}

/** A connection for all machines of this process, as a thousand would need more cores than one computer has. */
export const shared = async (socket, pace, calls) => {
  const client = createClient({ socket: { path: socket }, RESP: 3, commandsQueueMaxLength: 1_000_000 })
  client.on("error", () => {})
  await client.connect()
  /** @type {Map<object, Promise<string>>} */
  const digests = new Map()
  const digestOf = (script) => {
    const known = digests.get(script) ?? client.sendCommand(["SCRIPT", "LOAD", script.lua])
    digests.set(script, known)
    return known
  }
  const failed = (error) => new FleetStoreFailed({ store: socket, reason: error.message })
  const call = (script, keys, args, answer) => {
    const send = (digest) =>
      client
        .sendCommand(["EVALSHA", digest, String(keys.length), ...keys, ...args.map(String)], { timeout: 0 })
        .then(answer, (error) => answer(failed(error)))
    const digest = loaded.get(script)
    if (digest !== undefined) send(digest)
    else
      digestOf(script).then((text) => {
        loaded.set(script, text)
        send(text)
      })
  }
  const loaded = new Map()
  return {
    store: {
      ...{ name: socket, isConnected: () => true, call: scaled(call, pace, calls) },
      publish: (channel, message) =>
        void client.sendCommand(["PUBLISH", channel, message], { timeout: 0 }).catch(() => {})
    },
    listen: (channel, receive) => client.subscribe(channel, receive)
  }
}

const scaled = (call, pace, calls) => (script, keys, args, answer) => {
  const all = args.map((arg, at) => {
    if (times[script.name]?.includes(at)) return Math.round(arg / pace)
    return rates[script.name]?.includes(at) ? arg * pace : arg
  })
  calls[script.name] = (calls[script.name] ?? 0) + 1
  call(script, keys, all, (reply) => {
    if (reply instanceof FleetStoreFailed) {
      calls.failed = (calls.failed ?? 0) + 1
      if (calls.failed === 1) console.error(script.name, reply.message, all.slice(0, 8))
    }
    answer(reply)
  })
}
