// npm's proxy-chain, as its documentation starts it.
import { Server } from "proxy-chain"

const server = new Server({ port: Number(process.argv[2]), host: "127.0.0.1" })
await server.listen()
