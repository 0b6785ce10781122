// nats-server on its own, from the same modules as the engine: the external server of the tests.
//
//	nats-server PORT STORE_DIR [USER PASSWORD]
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	if len(os.Args) != 3 && len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: nats-server PORT STORE_DIR [USER PASSWORD]")
		os.Exit(2)
	}
	port, _ := strconv.Atoi(os.Args[1])
	opts := &server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: os.Args[2], NoSigs: true, NoLog: true, MaxPayload: 8 << 20}
	if len(os.Args) == 5 {
		opts.Username, opts.Password = os.Args[3], os.Args[4]
	}
	s, err := server.NewServer(opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		fmt.Fprintln(os.Stderr, "not ready")
		os.Exit(1)
	}
	fmt.Println("ready")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	s.Shutdown()
	s.WaitForShutdown()
}
