// @pondwader/socks5-server, as its description shows it.
import { createServer } from "@pondwader/socks5-server"

createServer().listen(Number(process.argv[2]), "127.0.0.1")
