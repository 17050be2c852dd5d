// For the tests of the load generator: node-pipe.js, but every 3,000th byte is
// wrong, either way.
import net from "node:net"
import { Transform } from "node:stream"

const spoil = () => {
  let passed = 0
  return new Transform({
    transform(chunk, _, done) {
      for (let at = 2999 - (passed % 3000); at < chunk.length; at += 3000) chunk[at]++
      passed += chunk.length
      done(null, chunk)
    }
  })
}

/** @type {any} */
const sockets = net.Socket.prototype
const { pipe } = sockets
/** @param {import("node:stream").Writable} to */
sockets.pipe = function (to) {
  return pipe.call(this, spoil()).pipe(to)
}
await import("./node-pipe.js")
