/**
 * Writes the code cache of the built program: the last step of the build.
 *
 * A server starts in a child process, serves a session of SOCKS and one of HTTP, and stops, so that the cache has the
 * functions of a start and of the first sessions.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { type AddressInfo, connect, createServer } from "node:net"
import { fileURLToPath } from "node:url"
import * as CodeCache from "./base/CodeCache.ts"
import type * as Program from "./program.ts"

/** The server whose functions are cached. */
const serve = async (): Promise<void> => {
  const bundle = CodeCache.open(fileURLToPath(new URL("bundle", import.meta.url)))
  const { start } = bundle.load("program.cjs") as typeof Program
  const stop = await start("")
  process.once("SIGTERM", stop).once("exit", bundle.writeCaches)
}

const write = async (): Promise<void> => {
  const flags = ["--listen", "127.0.0.1:0", "--log-format", "json"]
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
    // Settings of whoever builds are none of this server, and the flags of a start are the usual ones.
    env: {}
  })
  const ended = once(child, "exit")
  const target = createServer((socket) => socket.on("error", () => {}).end("hello")).listen(0, "127.0.0.1")
  const [line] = await Promise.race([once(child.stdout, "data"), ended])
  const [, port] = /"127\.0\.0\.1:(\d+)"/.exec(String(line)) ?? []
  if (port !== undefined) await visit(Number(port), (target.address() as AddressInfo).port)
  target.close()
  child.kill("SIGTERM")
  const [code] = await ended
  // Without a cache the program only starts more slowly.
  if (code !== 0) console.warn("the code cache could not be written")
}

/** A session by each protocol. */
const visit = async (port: number, target: number): Promise<void> => {
  const socks5 = [5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, target >> 8, target & 255]
  const http = Buffer.from(`CONNECT 127.0.0.1:${target} HTTP/1.1\r\nHost: 127.0.0.1:${target}\r\n\r\n`)
  for (const request of [Buffer.from(socks5), http]) {
    const socket = connect(port, "127.0.0.1")
    socket.on("error", () => {}).resume()
    socket.end(request)
    await once(socket, "close")
  }
}

await (process.argv.length > 2 ? serve() : write())
