// armon/go-socks5, as its description shows it, but that it goes on when there are
// no descriptors left: its own loop ends the program then.
package main

import (
	"log"
	"net"
	"os"
	"time"

	"github.com/armon/go-socks5"
)

func main() {
	server, err := socks5.New(&socks5.Config{})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		go server.ServeConn(client)
	}
}
