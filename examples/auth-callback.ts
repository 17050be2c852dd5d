/**
 * A proxy that asks a web service who may come in: the service, which is where a
 * database or a directory would be asked, and the proxy with its own users first.
 *
 *     node examples/auth-callback.ts      (Node 22.18 and later run TypeScript as it is)
 *     curl -x socks5h://alice:secret@127.0.0.1:1080 https://example.com
 *
 * The program does the same with `--auth-url` and `SOCKS_AUTH_TOKEN`.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, Redacted } from "effect"
import { Authenticator, Server } from "effect-socks"

const token = Redacted.make("shared by the proxy and the service")

const accounts = new Map([["alice", { password: "secret", groups: ["staff"] }]])

/** The service: 200 and what is known of the user, which holds for a minute, or 403. */
const decide = (
  authorization: string | undefined,
  question: string
): readonly [status: number, answer: object] => {
  if (authorization !== `Bearer ${Redacted.value(token)}`) return [403, {}]
  const { user, password } = JSON.parse(question)
  const account = accounts.get(user)
  return account?.password === password ? [200, { groups: account?.groups, ttl: 60 }] : [403, {}]
}

/** The URL of the service, on loopback, which may go without TLS. */
const service = Effect.gen(function* () {
  const server = createServer(async (request, response) => {
    const question = Buffer.concat(await request.toArray()).toString()
    const [status, answer] = decide(request.headers.authorization, question)
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer))
  })
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      server.closeAllConnections()
      server.close()
    })
  )
  yield* Effect.callback<void>((resume) => {
    server.listen(0, "127.0.0.1", () => resume(Effect.void))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/check`
})

/** A user of the proxy's own comes in even while the service is away; about all others it is asked. */
const AuthenticatorLive = Layer.unwrap(
  Effect.map(service, (url) =>
    Authenticator.layerFirstOf([
      Authenticator.layerUsers([{ name: "admin", password: Redacted.make("hunter2") }]),
      Authenticator.layerHttp({ url, token })
    ])
  )
)

export const ProxyLive = (port: number) =>
  Server.layer({ listen: `127.0.0.1:${port}` }).pipe(Layer.provide(AuthenticatorLive))

if (process.argv[1] === import.meta.filename) {
  Layer.launch(ProxyLive(1080)).pipe(NodeRuntime.runMain)
}
