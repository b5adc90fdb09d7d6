package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"booking/functions/cmd/internal/child"
)

func main() {
	child.Serve("shop")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(realMain(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// realMain tells the story to stdout. It returns the exit status: 0, 1 for a fault, or 2 for wrong
// flags.
func realMain(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("shop", flag.ContinueOnError)
	flags.SetOutput(stderr)
	url := flags.String("url", "", "the `address` of booking; by default, shop starts it. SELLER_TOKEN is its seller's token, if it has one")
	listen := flags.String("listen", "", "the `address` where booking's relay sends the changes, like :9000, with the SINK_SECRET of booking; without it, shop asks booking at the other -url for its sales")
	event := flags.String("event", "shop-"+strings.ToLower(rand.Text()[:6]), "the `event_id` whose seats 1A to 1D are sold; they must be free. If there is no such event, shop puts it")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	b := &Booking{URL: *url, Event: *event, Token: getenv("SELLER_TOKEN"), HTTP: &http.Client{Timeout: 10 * time.Second}}
	if err := run(ctx, b, *listen, getenv("SINK_SECRET"), stdout); err != nil {
		fmt.Fprintf(stderr, "shop: %v\n", err)
		return 1
	}
	return 0
}

// run tells the story. If b has no URL, it starts booking.
func run(ctx context.Context, b *Booking, listen, secret string, stdout io.Writer) error {
	starts := b.URL == ""
	if starts {
		listen, secret = "127.0.0.1:0", "whsec_"+base64.StdEncoding.EncodeToString([]byte(rand.Text()))
	}
	s := &story{out: stdout, provider: NewFakePayments(), booking: b, secret: secret}
	if listen != "" {
		l, err := net.Listen("tcp", listen)
		if err != nil {
			return err
		}
		server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
		defer func() { _ = server.Close() }()
		go func() { _ = server.Serve(l) }() // until it is closed
		s.isTold, listen = true, l.Addr().String()
	}
	if starts {
		service, err := child.Start("SINK_URL=http://"+listen, "SINK_SECRET="+secret)
		if err != nil {
			return err
		}
		defer service.Stop()
		b.URL = service.URL
	}
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s.path = dir + "/orders.jsonl"
	return s.tell(ctx)
}
