// @mongodb-js/socksv5, the fork of socksv5 that is looked after, as its description shows it.
import socks from "@mongodb-js/socksv5"

const server = socks.createServer((_info, accept) => accept())
server.useAuth(socks.auth.None())
server.listen(Number(process.argv[2]), "127.0.0.1")
