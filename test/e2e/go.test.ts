/**
 * Go's SOCKS5 client, golang.org/x/net/proxy.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWith } from "../support/clients.ts"
import * as Go from "../support/go.ts"
import * as Origin from "../support/origin.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"

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

describeWith(["golang-go", "golang-golang-x-net-dev"], () => {
  it.live(
    "gets a page with a password, by name and by address, and errors that say why not",
    () =>
      Effect.gen(function* () {
        const server = yield* Program.start(["--user", "username:password"])
        const { port } = yield* Origin.http()
        const client = yield* Go.build(source)
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
      }),
    Go.patience
  )
})
