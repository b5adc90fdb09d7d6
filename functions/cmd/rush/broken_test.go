package main

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/changes"
	"booking/functions/cmd/rush/internal/load"
	"booking/functions/internal/api"
	"booking/functions/internal/auth"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/functions/internal/readiness"
	"booking/functions/internal/redisclient"
	"booking/seatlock"
	"booking/seatlock/oracle"
)

// brokenLocker is a Locker with a bug in a call; nil has none.
type brokenLocker struct {
	*seatlock.Locker
	redis   redis.UniversalClient
	reserve func(ctx context.Context, b brokenLocker, event string, seats []string, user string) (seatlock.Hold, error)
	buy     func(ctx context.Context, b brokenLocker, event string, seats []string, user string) error
	put     func(*seatlock.Put)
	block   func(seats []string) []string

	buyUnder, giveBack underOrder
	choose             func(ctx context.Context, b brokenLocker, event string, groups [][]string, user string, terms seatlock.Terms) (seatlock.Choice, error)
	exchange           func(ctx context.Context, b brokenLocker, event string, seats, to []string, user string, terms seatlock.Terms) error
}

// underOrder is a bug in a call with an order.
type underOrder func(ctx context.Context, b brokenLocker, event string, seats []string, user string, terms seatlock.Terms) error

func (b brokenLocker) ReserveOn(ctx context.Context, event string, seats []string, user string, terms seatlock.Terms) (seatlock.Hold, error) {
	if b.reserve == nil {
		return b.Locker.ReserveOn(ctx, event, seats, user, terms)
	}
	return b.reserve(ctx, b, event, seats, user)
}

func (b brokenLocker) ReserveFirst(ctx context.Context, event string, groups [][]string, user string, terms seatlock.Terms) (seatlock.Choice, error) {
	if b.choose == nil {
		return b.Locker.ReserveFirst(ctx, event, groups, user, terms)
	}
	return b.choose(ctx, b, event, groups, user, terms)
}

func (b brokenLocker) BuyOn(ctx context.Context, event string, seats []string, user string, terms seatlock.Terms) error {
	switch {
	case b.buyUnder != nil:
		return b.buyUnder(ctx, b, event, seats, user, terms)
	case b.buy != nil:
		return b.buy(ctx, b, event, seats, user)
	}
	return b.Locker.BuyOn(ctx, event, seats, user, terms)
}

func (b brokenLocker) Return(ctx context.Context, event string, seats []string, user string, terms seatlock.Terms) error {
	if b.giveBack == nil {
		return b.Locker.Return(ctx, event, seats, user, terms)
	}
	return b.giveBack(ctx, b, event, seats, user, terms)
}

func (b brokenLocker) PutEvent(ctx context.Context, event string, put seatlock.Put) (seatlock.Event, bool, error) {
	if b.put != nil {
		b.put(&put)
	}
	return b.Locker.PutEvent(ctx, event, put)
}

func (b brokenLocker) Block(ctx context.Context, event string, seats []string, channel string, terms seatlock.Terms) error {
	if b.block != nil {
		seats = b.block(seats)
	}
	return b.Locker.Block(ctx, event, seats, channel, terms)
}

func (b brokenLocker) Exchange(ctx context.Context, event string, seats, to []string, user string, terms seatlock.Terms) error {
	if b.exchange == nil {
		return b.Locker.Exchange(ctx, event, seats, to, user, terms)
	}
	return b.exchange(ctx, b, event, seats, to, user, terms)
}

// keepOld sells the new seats, and leaves the sale of the old ones.
func keepOld(ctx context.Context, b brokenLocker, event string, _, to []string, user string, terms seatlock.Terms) error {
	if _, err := b.Locker.Reserve(ctx, event, to, user); err != nil && !errors.Is(err, seatlock.ErrOwned) {
		return err
	}
	return b.Locker.BuyOn(ctx, event, to, user, terms)
}

// free deletes the keys of the seats.
func (b brokenLocker) free(ctx context.Context, event string, seats []string) {
	for _, seat := range seats {
		b.redis.Del(ctx, "seat:{"+event+"}:"+seat)
	}
}

// anyOrder sells seats to their buyer again, under another order.
func anyOrder(ctx context.Context, b brokenLocker, event string, seats []string, user string, terms seatlock.Terms) error {
	err := b.Locker.BuyOn(ctx, event, seats, user, terms)
	if errors.Is(err, seatlock.ErrSold) {
		return nil
	}
	return err
}

// returnOthers ends the sale of any user and order.
func returnOthers(ctx context.Context, b brokenLocker, event string, seats []string, user string, terms seatlock.Terms) error {
	err := b.Locker.Return(ctx, event, seats, user, terms)
	if errors.Is(err, seatlock.ErrNotReturnable) {
		b.free(ctx, event, seats)
		return nil
	}
	return err
}

// returnNothing leaves the sale as it is.
func returnNothing(context.Context, brokenLocker, string, []string, string, seatlock.Terms) error {
	return nil
}

// noNX gives seats to the last user who asks.
func noNX(ctx context.Context, b brokenLocker, event string, seats []string, user string) (seatlock.Hold, error) {
	hold, err := b.Locker.Reserve(ctx, event, seats, user)
	if errors.Is(err, seatlock.ErrTaken) {
		b.free(ctx, event, seats)
		return b.Locker.Reserve(ctx, event, seats, user)
	}
	return hold, err
}

// noOwner sells seats to any user who pays.
func noOwner(ctx context.Context, b brokenLocker, event string, seats []string, user string) error {
	err := b.Locker.Buy(ctx, event, seats, user)
	if errors.Is(err, seatlock.ErrHeldByOther) || errors.Is(err, seatlock.ErrHoldExpired) {
		b.free(ctx, event, seats)
		if _, err := b.Locker.Reserve(ctx, event, seats, user); err != nil {
			return err
		}
		return b.Locker.Buy(ctx, event, seats, user)
	}
	return err
}

// loseSale returns a buy that loses one sale after its success.
func loseSale() func(ctx context.Context, b brokenLocker, event string, seats []string, user string) error {
	var once sync.Once
	return func(ctx context.Context, b brokenLocker, event string, seats []string, user string) error {
		err := b.Locker.Buy(ctx, event, seats, user)
		if err == nil {
			once.Do(func() {
				b.free(ctx, event, seats)
				for _, seat := range seats {
					b.redis.ZRem(ctx, "seats:{"+event+"}", seat)
				}
			})
		}
		return err
	}
}

// splitGroup holds only the first seat of a group, and says that it holds all.
func splitGroup(ctx context.Context, b brokenLocker, event string, seats []string, user string) (seatlock.Hold, error) {
	return b.Locker.Reserve(ctx, event, seats[:1], user)
}

// sellBlocked holds seats that are blocked, too.
func sellBlocked(ctx context.Context, b brokenLocker, event string, seats []string, user string) (seatlock.Hold, error) {
	hold, err := b.Locker.Reserve(ctx, event, seats, user)
	if conflict, ok := errors.AsType[*seatlock.ConflictError](err); ok && conflict.Seats[0].Status == seatlock.Blocked {
		return b.Locker.ReserveOn(ctx, event, []string{conflict.Seats[0].ID}, user, seatlock.Terms{Channel: "house"})
	}
	return hold, err
}

// forgetKey does not remember which seats a key got.
func forgetKey(ctx context.Context, b brokenLocker, event string, groups [][]string, user string, terms seatlock.Terms) (seatlock.Choice, error) {
	terms.Request = nil
	return b.Locker.ReserveFirst(ctx, event, groups, user, terms)
}

// nameOthers says that it holds the seats of another group.
func nameOthers(ctx context.Context, b brokenLocker, event string, groups [][]string, user string, terms seatlock.Terms) (seatlock.Choice, error) {
	choice, err := b.Locker.ReserveFirst(ctx, event, groups, user, terms)
	if err == nil {
		choice.Seats = append([]string{"1A"}, choice.Seats[1:]...)
	}
	return choice, err
}

// moveOpening returns a put that opens the sale that much later than it should.
func moveOpening(by time.Duration) func(*seatlock.Put) {
	return func(p *seatlock.Put) {
		if !p.OnSale.IsZero() {
			p.OnSale = p.OnSale.Add(by)
		}
	}
}

func TestRush_FindsBrokenPromises(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		locker brokenLocker
		breaks []oracle.Promise // at least one of them
		opens  string           // after that time
		args   []string         // more of them
	}{
		{"None", brokenLocker{}, nil, "1s", nil},
		{"NXRemoved", brokenLocker{reserve: noNX}, []oracle.Promise{oracle.OneHolder}, "0s", nil},
		{"OwnerCheckRemoved", brokenLocker{buy: noOwner}, []oracle.Promise{oracle.HoldFirst, oracle.OneBuyer, oracle.OneHolder}, "0s", nil},
		{"SaleLost", brokenLocker{buy: loseSale()}, []oracle.Promise{oracle.SalesLast, oracle.OneBuyer, oracle.OneHolder}, "0s", nil},
		{"OpensEarly", brokenLocker{put: moveOpening(-time.Hour)}, []oracle.Promise{oracle.OpensOnTime}, "4s", nil},
		{"OpensLate", brokenLocker{put: moveOpening(time.Hour)}, []oracle.Promise{oracle.OpensOnTime}, "1s", nil},
		{"BlockedSeatHeld", brokenLocker{reserve: sellBlocked}, []oracle.Promise{oracle.BlockedKept}, "0s", nil},
		{"SeatNotBlocked", brokenLocker{block: func(seats []string) []string { return seats[1:] }}, []oracle.Promise{oracle.BlockedKept}, "0s", nil},
		{"OrderIgnoredByBuy", brokenLocker{buyUnder: anyOrder}, []oracle.Promise{oracle.OneBuyer}, "0s", nil},
		{"OwnerIgnoredByReturn", brokenLocker{giveBack: returnOthers}, []oracle.Promise{oracle.OwnSale, oracle.OneHolder}, "0s", nil},
		{"SaleNotReturned", brokenLocker{giveBack: returnNothing}, []oracle.Promise{oracle.NothingStuck}, "0s", nil},
		{"OldSeatsNotExchanged", brokenLocker{exchange: keepOld}, []oracle.Promise{oracle.NothingStuck, oracle.GroupsWhole}, "0s", []string{"-users", "12", "-exchange", "1"}}, // so seats are free
		{"KeyForgotten", brokenLocker{choose: forgetKey}, []oracle.Promise{load.BestRepeats}, "0s", nil},
		{"OtherSeatsNamed", brokenLocker{choose: nameOthers}, []oracle.Promise{load.BestAdjacent, load.BestRepeats}, "0s", nil},
		{"PlacesOfNoArea", brokenLocker{choose: nameOthers}, []oracle.Promise{load.BestOfArea}, "0s", []string{"-best", "0", "-area", "40"}},
		{"GroupSplit", brokenLocker{reserve: splitGroup}, []oracle.Promise{oracle.OneHolder, oracle.OwnerServed, oracle.GroupsWhole}, "0s", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := serveBroken(t, c.locker)
			var stdout, stderr bytes.Buffer
			args := []string{"-url", url, "-put", "-hold", "2s", "-on-sale-after", c.opens, "-blocked", "0.1", "-users", "200", "-seats", "40", "-duration", "5s", "-think", "200ms", "-seed", "7",
				"-cheat", "0.1", "-double-pay", "0.2", "-return", "0.3", "-exchange", "0.3", "-best", "0.2", "-groups", "0.5", "-abandon", "0", "-dawdle", "0", "-hoard", "0"}
			status := realMain(t.Context(), append(args, c.args...), func(string) string { return "" }, &stdout, &stderr)
			if c.breaks == nil {
				require.Equal(t, statusKept, status, stdout.String())
				return
			}
			require.Equal(t, statusBroken, status, stdout.String())
			require.Contains(t, stdout.String(), "promises BROKEN: ")
			require.True(t, mentions(stdout.String(), c.breaks), stdout.String())
			require.Regexp(t, `(?m)^\t.* by (buyer-\d+|auditor|house)( under \S+)?: `, stdout.String(), "it shows the calls that prove it")
		})
	}
}

func mentions(text string, promises []oracle.Promise) bool {
	for _, p := range promises {
		if bytes.Contains([]byte(text), []byte("broken: "+p)) {
			return true
		}
	}
	return false
}

// serveBroken serves the functions over b and an embedded Redis.
func serveBroken(t *testing.T, b brokenLocker) (url string) {
	t.Helper()
	return serveRoles(t, b, nil)
}

// serveRoles is serveBroken with roles, unless callers is nil. With roles only events that were
// put exist.
func serveRoles(t *testing.T, b brokenLocker, callers *auth.Callers) (url string) {
	t.Helper()
	url, closeRedis, err := redisclient.Embed()
	require.NoError(t, err)
	t.Cleanup(closeRedis)
	client, err := redisclient.Open(redisclient.Options{Mode: redisclient.Single, URL: url, Timeout: 30 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	b.redis = client
	b.Locker, err = seatlock.New(client, seatlock.Options{HoldTime: 10 * time.Second, Timeout: 30 * time.Second})
	require.NoError(t, err)
	monitor := readiness.New(b.Ping)
	handler, err := functions.Handler("", functions.Deps{Locker: b, Catalog: catalog.New(b, catalog.Options{Listed: callers != nil}), Halls: hall.New(b.Locker), Rules: api.Rules{MaxSeats: api.MaxSeats}, Streams: changes.Options{Stop: monitor.DrainStarted()}, Callers: callers}, monitor)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}
