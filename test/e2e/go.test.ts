/**
 * Go's SOCKS5 client, golang.org/x/net/proxy.
 */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWith } from "../support/clients.ts"
import * as Origin from "../support/origin.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import * as Temporary from "../support/temporary.ts"

/** Prints the page, or the error. */
const source = `package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/net/proxy"
)

func main() {
	auth := &proxy.Auth{User: os.Args[2], Password: os.Args[3]}
	dialer, _ := proxy.SOCKS5("tcp", os.Args[1], auth, proxy.Direct)
	conn, err := dialer.Dial("tcp", os.Args[4])
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(conn, "GET / HTTP/1.0\\r\\n\\r\\n")
	io.Copy(os.Stdout, conn)
}
`

/** The program, built with Debian's packages and nothing from the network. */
const build = Effect.gen(function* () {
  const directory = yield* Temporary.directory
  yield* Effect.promise(() => writeFile(join(directory, "client.go"), source))
  const modules = { GO111MODULE: "off", GOPATH: "/usr/share/gocode" }
  // Without cgo it takes no C compiler.
  const env = { ...modules, CGO_ENABLED: "0", GOCACHE: join(directory, "cache") }
  const { code, stderr } = yield* Processes.run("go", ["build", "client.go"], { cwd: directory, env })
  assert.strictEqual(code, 0, stderr)
  return join(directory, "client")
})

describeWith(["golang-go", "golang-golang-x-net-dev"], () => {
  it.live("gets a page with a password, by name and by address, and errors that say why not", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(["--user", "username:password"])
      const { port } = yield* Origin.http()
      const client = yield* build
      const get = (password: string, target: string) =>
        Effect.map(
          Processes.run(client, [server.address, "username", password, target]),
          ({ stdout }) => stdout
        )
      assert.include(yield* get("password", `localhost:${port}`), Origin.page)
      assert.include(yield* get("password", `127.0.0.1:${port}`), Origin.page)
      assert.match(yield* get("guess", `127.0.0.1:${port}`), /authentication failed/)
      assert.match(
        yield* get("password", `127.0.0.1:${yield* Origin.freePort}`),
        /unknown error connection refused/
      )
      yield* server.logged({ user: "username", target: `localhost:${port}`, outcome: "finished" })
    })
  )
})
