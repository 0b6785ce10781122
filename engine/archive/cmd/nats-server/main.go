// nats-server on its own, from the same modules as the engine: the external server of the tests, on loopback only.
//
//	nats-server -make DIR                   writes keys, certificates and credentials of every kind into DIR
//	nats-server -store DIR [-port N] [how]  prints "ready PORT" and serves until SIGTERM or the end of its standard input
//	nats-server -config FILE                serves until SIGTERM as the file says, and reads it again at SIGHUP, as the official server does
//	nats-server -check FILE                 says what is wrong with such a file
//
// How clients prove who they are: -user with -password, -token, -nkey DIR, -tls DIR (both sides), -creds DIR.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

func run() error {
	port := flag.Int("port", server.RANDOM_PORT, "")
	store := flag.String("store", "", "")
	user, password, token := flag.String("user", "", ""), flag.String("password", "", ""), flag.String("token", "", "")
	nkey, tls, creds := flag.String("nkey", "", ""), flag.String("tls", "", ""), flag.String("creds", "", "")
	makeIn, config, check := flag.String("make", "", ""), flag.String("config", "", ""), flag.String("check", "", "")
	flag.Parse()
	if *makeIn != "" {
		return makeSecrets(*makeIn)
	}
	if *check != "" {
		_, err := server.ProcessConfigFile(*check)
		return err
	}
	if *config != "" {
		return serveConfigured(*config)
	}
	opts := &server.Options{
		Host: "127.0.0.1", Port: *port, JetStream: true, StoreDir: *store, NoSigs: true, NoLog: true, MaxPayload: 8 << 20,
		Username: *user, Password: *password, Authorization: *token,
	}
	var err error
	if *nkey != "" {
		err = errors.Join(err, useNKey(opts, *nkey))
	}
	if *tls != "" {
		err = errors.Join(err, useTLS(opts, *tls))
	}
	if *creds != "" {
		err = errors.Join(err, useCredentials(opts, *creds))
	}
	if err != nil {
		return err
	}
	return serve(opts)
}

func untilSignalled() chan os.Signal {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	return stop
}

func serveConfigured(file string) error {
	stop := untilSignalled()
	opts, err := server.ProcessConfigFile(file)
	if err != nil {
		return err
	}
	opts.NoSigs = true
	s, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	go s.Start()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	for {
		select {
		case <-reload:
			if err := s.Reload(); err != nil {
				s.Errorf("the configuration is not reloaded: %v", err)
			}
		case <-stop:
			s.Shutdown()
			s.WaitForShutdown()
			return nil
		}
	}
}

func serve(opts *server.Options) error {
	stop := untilSignalled()
	s, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	go s.Start()
	if !s.ReadyForConnections(10*time.Second) || !s.JetStreamEnabled() {
		return errors.New("not ready")
	}
	fmt.Println("ready", s.Addr().(*net.TCPAddr).Port)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop <- syscall.SIGTERM
	}()
	<-stop
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "nats-server:", err)
		os.Exit(1)
	}
}
