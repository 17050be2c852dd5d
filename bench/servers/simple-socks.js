// simple-socks, as its description shows it.
import socks5 from "simple-socks"

socks5.createServer().listen(Number(process.argv[2]), "127.0.0.1")
