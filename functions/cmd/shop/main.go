package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
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
	os.Exit(realMain(ctx, os.Args[1:], os.Getenv("SELLER_TOKEN"), os.Stdout, os.Stderr))
}

// realMain tells the story to stdout. It returns the exit status: 0, 1 for a fault, or 2 for wrong
// flags.
func realMain(ctx context.Context, args []string, token string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("shop", flag.ContinueOnError)
	flags.SetOutput(stderr)
	url := flags.String("url", "", "the `address` of booking; by default, shop starts it. SELLER_TOKEN is its seller's token, if it has one")
	event := flags.String("event", "shop-"+strings.ToLower(rand.Text()[:6]), "the `event_id` whose seats 1A to 1D are sold; they must be free")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if err := run(ctx, &Booking{URL: *url, Event: *event, Token: token, HTTP: &http.Client{Timeout: 10 * time.Second}}, stdout); err != nil {
		fmt.Fprintf(stderr, "shop: %v\n", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, b *Booking, stdout io.Writer) error {
	if b.URL == "" {
		service, err := child.Start()
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
	return tell(ctx, stdout, b, dir+"/orders.jsonl")
}
